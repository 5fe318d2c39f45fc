-- Adds up the book of an API key in one shard.
-- KEYS: the book
-- Returns {entries, bytes, bytes of indexes}.
return stock_in(KEYS[1], now_us() / 1000000)
