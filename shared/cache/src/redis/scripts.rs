//! The Lua scripts: each is one step of the protocol that must not be torn.

use crate::planted;
use redis::{Cmd, Pipeline, Script, cmd};
use std::sync::LazyLock;

/// A script known by its hash.
pub(crate) struct Source {
    script: LazyLock<Script>,
    text: &'static str,
}

macro_rules! scripts {
    ($($name:ident = $($file:literal),+;)*) => {
        $(pub(crate) static $name: Source = Source {
            script: LazyLock::new(|| Script::new($name.code())),
            text: concat!(include_str!("lua/prelude.lua"), $(include_str!($file)),+),
        };)*
        /// Every script, for loading.
        static ALL: &[&Source] = &[$(&$name),*];
    };
}

scripts! {
    SYNC = "lua/identity.lua", "lua/index.lua", "lua/sync.lua";
    SINCE = "lua/index.lua", "lua/since.lua";
    PAST = "lua/index.lua", "lua/past.lua";
    APPEND = "lua/index.lua", "lua/append.lua";
    STORE = "lua/copy.lua", "lua/tags.lua", "lua/books.lua", "lua/store.lua";
    REMOVE = "lua/copy.lua", "lua/tags.lua", "lua/books.lua", "lua/remove.lua";
    TOUCH = "lua/copy.lua", "lua/touch.lua";
    CHECKED = "lua/checked.lua";
    PAGE = "lua/tags.lua", "lua/page.lua";
    EVICT = "lua/copy.lua", "lua/tags.lua", "lua/books.lua", "lua/evict.lua";
    STOCK = "lua/stock.lua";
    CLOSE = "lua/close.lua";
    UNDONE = "lua/undone.lua";
    SWEEP = "lua/copy.lua", "lua/tags.lua", "lua/books.lua", "lua/sweep.lua";
    HEADS = "lua/copy.lua", "lua/heads.lua";
    TAGGED = "lua/copy.lua", "lua/tags.lua", "lua/tagged.lua";
    FILL = "lua/copy.lua", "lua/fill.lua";
    RELEASE = "lua/release.lua";
    WAIT = "lua/wait.lua";
    LEASE = "lua/lease.lua";
    REPORT = "lua/report.lua";
    TOTALS = "lua/totals.lua";
    CENSUS = "lua/copy.lua", "lua/census.lua";
    COUNTED = "lua/counted.lua";
    CONFIGURE = "lua/configure.lua";
}

impl Source {
    fn code(&self) -> &'static str {
        planted::script(self.text)
    }

    /// A call of the script; keys come first, then arguments with [`Cmd::arg`].
    pub(crate) fn call(&self, keys: &[String]) -> Cmd {
        let mut call = cmd("EVALSHA");
        call.arg(self.script.get_hash()).arg(keys.len()).arg(keys);
        call
    }
}

/// The commands that teach a server all scripts.
pub(crate) fn loading() -> Pipeline {
    let mut loading = Pipeline::new();
    for source in ALL {
        loading.cmd("SCRIPT").arg("LOAD").arg(source.code());
    }
    loading
}
