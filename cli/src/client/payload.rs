//! Values that an answer leaves out for their size are downloaded: a command shows what a run really gave.

use serde_json::Value;

use crate::client::{Client, problem};
use crate::exit::{Exit, Failure};

/// What stands in an answer in the place of a large value.
const PLACE: &str = "$payload";

impl Client {
    /// Puts the inputs and outputs of a run in the place of their addresses.
    pub async fn fill_run(&self, id: &str, run: &mut Value) -> Result<(), Failure> {
        for part in ["inputs", "outputs"] {
            self.fill(&mut run[part], &format!("/api/v1/runs/{id}/{part}"))
                .await?;
        }
        Ok(())
    }

    /// Only what the server says of exactly this place counts: any other value that looks so is the run's own.
    async fn fill(&self, value: &mut Value, path: &str) -> Result<(), Failure> {
        if value[PLACE]["downloadUrl"] == path {
            *value = self.download(path).await?;
        }
        Ok(())
    }

    async fn download(&self, path: &str) -> Result<Value, Failure> {
        let request = self.with_credentials(self.http.get(format!("{}{path}", self.server)));
        let answer = request.send().await.map_err(|error| self.unreachable(error))?;
        let status = answer.status();
        if status == reqwest::StatusCode::UNAUTHORIZED || status == reqwest::StatusCode::FORBIDDEN {
            return Err(problem::unauthorised());
        }
        if !status.is_success() {
            let message = format!("{path} cannot be downloaded (HTTP {status})");
            return Err(Failure::new(Exit::Unreachable, message));
        }
        let body = answer.bytes().await.map_err(|error| self.unreachable(error))?;
        serde_json::from_slice(&body).map_err(|error| Failure::internal("a large value is not JSON", error))
    }
}
