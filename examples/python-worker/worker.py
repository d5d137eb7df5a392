"""A worker in Python that knows the messages and no library of Runnel: docs/workers.md describes them. Needs boto3."""
import json, os, re, time, traceback
import boto3

PREFIX, QUEUE = os.environ.get("RUNNEL_QUEUE_PREFIX", "runnel-"), os.environ.get("RUNNEL_QUEUE_NAME", "default")
NAME = f"python-{os.getpid()}"

def slugify(input):
    if not input.get("text"):
        raise ValueError("there is no text")
    return {"slug": re.sub(r"[^a-z0-9]+", "-", input["text"].lower()).strip("-")}

HANDLERS = {"slugify": slugify}

def end_of(message):
    end = {"kind": "completed", **{key: message[key] for key in ("run", "task", "attempt", "token")}, "started_us": now()}
    try:
        end["output"] = HANDLERS[message["type"]](message["input"])
    except Exception as error:
        end["error"] = {"category": "USER", "code": type(error).__name__, "message": str(error), "retryable": not isinstance(error, ValueError), "traceback": traceback.format_exc()}
    return {**end, "finished_us": now()}

def now():
    return time.time_ns() // 1000

def main():
    sqs = boto3.client("sqs", endpoint_url=os.environ.get("RUNNEL_SQS_ENDPOINT"))
    tasks, completions = (sqs.get_queue_url(QueueName=PREFIX + name)["QueueUrl"] for name in (QUEUE, "completions"))
    report = lambda *reports: sqs.send_message(QueueUrl=completions, MessageBody=json.dumps({"v": 1, "worker": NAME, "reports": reports}))
    while True:  # hello, at least every 30 s: without it nobody sends tasks of these types
        report({"kind": "hello", "types": list(HANDLERS), "queue": QUEUE, "slots": 1})
        for received in sqs.receive_message(QueueUrl=tasks, MaxNumberOfMessages=1, WaitTimeSeconds=20, VisibilityTimeout=60).get("Messages", []):
            handle, message = received["ReceiptHandle"], json.loads(received["Body"])
            if message["v"] > 1 or message["type"] not in HANDLERS or message.get("input_ref"):  # for another worker
                sqs.change_message_visibility(QueueUrl=tasks, ReceiptHandle=handle, VisibilityTimeout=15)
                continue
            report(end_of(message))  # first the report, then the deletion: a crash between them repeats the task, and loses nothing
            sqs.delete_message(QueueUrl=tasks, ReceiptHandle=handle)

if __name__ == "__main__":
    main()
