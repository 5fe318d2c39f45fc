//! Content codings, as API Gateway handles them once an API has a `MinimumCompressionSize`: it unpacks the bodies of
//! requests, and packs those of answers for whoever accepts that.

use std::io::Read;

use bytes::Bytes;
use flate2::Compression;
use flate2::read::{GzDecoder, GzEncoder, ZlibDecoder, ZlibEncoder};
use http_body_util::{BodyExt, Full};
use hyper::header::{ACCEPT_ENCODING, CONTENT_ENCODING, HeaderValue};
use hyper::{HeaderMap, Response};

use crate::gateway::BODY_LIMIT;
use crate::gateway_response::Refusal;

/// A body without its coding, of which it may have one. It is given up as soon as it is too large, so that a small body
/// cannot become a very large one.
pub(crate) fn unpack(headers: &HeaderMap, body: Bytes) -> Result<Bytes, Refusal> {
    let codings = headers.get_all(CONTENT_ENCODING).iter().map(|value| value.to_str().unwrap_or("?"));
    let codings = codings.flat_map(|value| value.split(',').map(str::trim));
    let packings: Vec<&str> = codings.filter(|coding| !coding.eq_ignore_ascii_case("identity")).collect();
    match packings[..] {
        [] => Ok(body),
        [coding] if coding.eq_ignore_ascii_case("gzip") => read(GzDecoder::new(&body[..])),
        [coding] if coding.eq_ignore_ascii_case("deflate") => read(ZlibDecoder::new(&body[..])),
        _ => Err(Refusal::UnsupportedMediaType),
    }
}

fn read(packed: impl Read) -> Result<Bytes, Refusal> {
    let mut body = Vec::new();
    let most = BODY_LIMIT as u64 + 1;
    packed.take(most).read_to_end(&mut body).map_err(|_| Refusal::BadBody)?;
    if body.len() > BODY_LIMIT { Err(Refusal::RequestTooLarge) } else { Ok(body.into()) }
}

/// The answer, packed where it has at least `least` bytes and whoever asks accepts that.
pub(crate) async fn pack(asked: &HeaderMap, least: usize, response: Response<Full<Bytes>>) -> Response<Full<Bytes>> {
    let (mut head, body) = response.into_parts();
    let Ok(body) = body.collect().await;
    let body = body.to_bytes();
    let coding = accepted(asked).filter(|_| body.len() >= least && !head.headers.contains_key(CONTENT_ENCODING));
    let Some(coding) = coding else { return Response::from_parts(head, Full::new(body)) };
    let mut packed = Vec::new();
    let written = match coding {
        "gzip" => GzEncoder::new(&body[..], Compression::fast()).read_to_end(&mut packed),
        _ => ZlibEncoder::new(&body[..], Compression::fast()).read_to_end(&mut packed),
    };
    written.expect("memory can be read and written");
    head.headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding));
    Response::from_parts(head, Full::new(packed.into()))
}

/// The coding that an answer gets: gzip wherever that is accepted.
fn accepted(headers: &HeaderMap) -> Option<&'static str> {
    let accepts = |coding: &str| {
        let lines = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
        lines.flat_map(|line| line.split(',')).any(|item| {
            let (name, weight) = item.split_once(';').unwrap_or((item, ""));
            let weight = weight.trim().strip_prefix("q=").unwrap_or("1");
            name.trim().eq_ignore_ascii_case(coding) && weight.parse().is_ok_and(|weight: f32| weight > 0.0)
        })
    };
    ["gzip", "deflate"].into_iter().find(|coding| accepts(coding))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn headers(name: hyper::header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    fn gzip(body: &[u8]) -> Bytes {
        let mut packed = Vec::new();
        GzEncoder::new(body, Compression::fast()).read_to_end(&mut packed).unwrap();
        packed.into()
    }

    fn unpacked(coding: &str, body: Bytes) -> Result<Bytes, Refusal> {
        unpack(&headers(CONTENT_ENCODING, coding), body)
    }

    #[test]
    fn one_coding_is_taken_off() {
        assert_eq!(unpacked("gzip", gzip(b"{}")).unwrap(), "{}");
        assert_eq!(unpacked("identity, GZIP", gzip(b"{}")).unwrap(), "{}");
        assert_eq!(unpacked("gzip, gzip", gzip(&gzip(b"{}"))), Err(Refusal::UnsupportedMediaType));
        assert_eq!(unpack(&HeaderMap::new(), Bytes::from_static(b"x")).unwrap(), "x");
        assert_eq!(unpacked("br", Bytes::new()), Err(Refusal::UnsupportedMediaType));
        assert_eq!(unpacked("gzip", Bytes::from_static(b"{}")), Err(Refusal::BadBody));
    }

    #[test]
    fn a_bomb_is_given_up() {
        let bomb = gzip(&vec![0; 50_000_000]);
        assert!(bomb.len() < 1_000_000);
        assert_eq!(unpacked("gzip", bomb), Err(Refusal::RequestTooLarge));
        assert_eq!(unpacked("gzip", gzip(&vec![0; BODY_LIMIT])).unwrap().len(), BODY_LIMIT);
    }

    #[tokio::test]
    async fn answers_are_packed_for_who_accepts_it() {
        for (accepts, coding) in [
            ("gzip", Some("gzip")),
            ("br, gzip;q=0.5, deflate", Some("gzip")),
            ("deflate", Some("deflate")),
            ("gzip;q=0", None),
            ("identity", None),
        ] {
            let body = "x".repeat(2000);
            let response = Response::new(Full::new(Bytes::from(body.clone())));
            let packed = pack(&headers(ACCEPT_ENCODING, accepts), 1024, response).await;
            assert_eq!(
                packed.headers().get(CONTENT_ENCODING).map(|value| value.to_str().unwrap()),
                coding,
                "{accepts}"
            );
            let Ok(sent) = packed.into_body().collect().await;
            let sent = sent.to_bytes();
            let read = coding.map_or(sent.clone(), |coding| unpacked(coding, sent.clone()).unwrap());
            assert_eq!(read, body, "{accepts}");
        }
        let small = Response::new(Full::new(Bytes::from_static(b"{}")));
        let small = pack(&headers(ACCEPT_ENCODING, "gzip"), 1024, small).await;
        assert!(small.headers().get(CONTENT_ENCODING).is_none());
    }
}
