//! How a person names a run: its id, the bare UUID of it, or `@last`.

use serde_json::json;
use uuid::Uuid;

use crate::client::{Client, documents};
use crate::exit::{Exit, Failure};

impl Client {
    /// The opaque id of the run that was named.
    pub async fn run_id(&self, named: &str) -> Result<String, Failure> {
        if named == "@last" {
            let data = self.send(documents::LAST_RUN, json!({})).await?;
            let id = data["runs"]["nodes"][0]["id"].as_str().map(str::to_owned);
            return id.ok_or_else(|| Failure::new(Exit::NotFound, "there is no run yet"));
        }
        Ok(opaque(named))
    }
}

/// A bare UUID becomes the opaque id; anything else is for the server to judge.
fn opaque(named: &str) -> String {
    // A copied link ends with the id.
    let last = named.rsplit('/').next().unwrap_or(named);
    match Uuid::try_parse(last) {
        Ok(uuid) => format!("run_{}", uuid.simple()),
        Err(_) => last.to_owned(),
    }
}

/// The failure for a run that does not exist.
pub fn unknown(named: &str) -> Failure {
    Failure::new(Exit::NotFound, format!("there is no run {named}")).hint("`runnel runs` lists them")
}

#[cfg(test)]
mod tests {
    use super::opaque;

    #[test]
    fn a_bare_uuid_and_a_link_name_the_same_run() {
        let id = "run_01890a5dac96774bbcceb302099a8057";
        for named in [
            "01890a5d-ac96-774b-bcce-b302099a8057",
            "01890a5dac96774bbcceb302099a8057",
            id,
        ] {
            assert_eq!(opaque(named), id);
        }
        assert_eq!(opaque(&format!("http://127.0.0.1:7420/runs/{id}")), id);
        assert_eq!(opaque("nonsense"), "nonsense");
    }
}
