//! Where callbacks go, and the marks that stand for it until a message is rendered.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use runnel_engine::run::{DispatchPayload, callback_token_mark, callback_url_mark};
use runnel_queue::PayloadRef;

/// Path of the callbacks below the public address.
const PATH: &str = "/callbacks/";

/// The public address of the API: configured, or that of the first server of this process.
#[derive(Debug, Clone, Default)]
pub(crate) struct CallbackAddress {
    base: Arc<OnceLock<String>>,
}

impl CallbackAddress {
    /// With the configured address, where there is one.
    pub(crate) fn new(configured: Option<&str>) -> Self {
        let address = Self::default();
        if let Some(base) = configured {
            address.suggest(base);
        }
        address
    }

    /// The address of a server; the first one stays.
    pub(crate) fn suggest(&self, base: &str) {
        // an address that is set already is the better one
        let _ = self.base.set(base.trim_end_matches('/').to_owned());
    }

    /// The address that takes a token. Without any server in this process it is a path, for whoever knows the rest.
    fn url(&self, token: &str) -> String {
        let base = self.base.get().map_or("", String::as_str);
        format!("{base}{PATH}{token}")
    }

    /// Puts token and address in the place of their marks. They are in no row: a message is rendered when it is sent.
    /// What the marks stand for is the answer where the input is in the payload store: its worker fills that.
    pub(crate) fn fill(&self, payload: &mut DispatchPayload, token: &str) -> BTreeMap<String, String> {
        let (token_mark, url_mark) = (
            callback_token_mark(&payload.callback_mark),
            callback_url_mark(&payload.callback_mark),
        );
        let url = self.url(token);
        let fill = |text: &str, url: &str| text.replace(&token_mark, token).replace(&url_mark, url);
        // the input is JSON text, where the address stands within a string
        let quoted = serde_json::Value::from(url.as_str()).to_string();
        let escaped = quoted.trim_matches('"');
        for value in payload.env.values_mut() {
            *value = fill(value, &url);
        }
        if PayloadRef::is_text(&payload.input) {
            return BTreeMap::from([(token_mark, token.to_owned()), (url_mark, url)]);
        }
        if payload.input.contains('‹') {
            payload.input = Arc::from(fill(&payload.input, escaped));
        }
        BTreeMap::new()
    }
}
