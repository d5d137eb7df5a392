//! SQS through aws-sdk-sqs: batches of 10, long polling, visibility extension, receive count, dead-letter queue, custom endpoint.
