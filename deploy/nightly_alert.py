"""Tell somebody when a nightly run fails: a webhook, and the automation that calls it.

    python deploy/nightly_alert.py https://chat.example/incoming/...

Talks to the server of PREFECT_API_URL; run again, it replaces what it made before. The address gets a JSON
POST {"text": ...}, which the incoming webhooks of most chats take. It is kept as a block on the server.
"""

import sys
from datetime import timedelta

from prefect.automations import Automation
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.events.actions import SendNotification
from prefect.events.schemas.automations import EventTrigger, Posture
from pydantic import SecretStr

NAME = "wsss-nightly-failed"
BODY = "{{ flow_run.name }}: {{ flow_run.state.name }}. {{ flow_run.state.message }} {{ flow_run|ui_url }}"


def main(url: str) -> None:
    block = CustomWebhookNotificationBlock(
        name=NAME, url="{{address}}", json_data={"text": "{{body}}"}, secrets={"address": SecretStr(url)}
    )
    block_id = block.save(NAME, overwrite=True)
    trigger = EventTrigger(
        expect={"prefect.flow-run.Failed", "prefect.flow-run.Crashed"},
        match={"prefect.resource.id": "prefect.flow-run.*"},
        match_related={"prefect.resource.role": "deployment", "prefect.resource.name": "nightly"},
        posture=Posture.Reactive,
        threshold=1,
        within=timedelta(0),
    )
    action = SendNotification(block_document_id=block_id, subject="A nightly run failed", body=BODY)
    new = Automation(
        name=NAME,
        description="A nightly run did not bring every stage up to date",
        trigger=trigger,
        actions=[action],
    )
    try:
        old = Automation.read(name=NAME)
    except ValueError:  # there is none
        new.create()
    else:
        new.id = old.id
        new.update()
    print(f"automation {NAME} is set; it calls the address when a run of the deployment nightly fails")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python deploy/nightly_alert.py URL")
    main(sys.argv[1])
