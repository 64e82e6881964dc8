"""Take an answer as a value of a type: the server holds to its schema, and `parse` checks it.

`python structured_output.py 'Ada met Charles in London on Monday.'`
"""

import sys
from dataclasses import dataclass
from typing import Literal

from codex_api import ApiKeyAuth, Client, Provider, ResponsesApiRequest, TextControls, errors


@dataclass
class Person:
    name: str
    role: Literal["host", "guest", "unknown"]


@dataclass
class Meeting:
    place: str
    people: list[Person]


def main() -> int:
    request = ResponsesApiRequest(
        model="gpt-5.1-codex",
        instructions="Extract the meeting from the text.",
        input=" ".join(sys.argv[1:]),
        text=TextControls.for_type(Meeting),
    )
    with Client(Provider.load("openai"), auth=ApiKeyAuth.from_env()) as client:
        response = client.responses.stream(request).collect()
    try:
        meeting = response.parse(Meeting)
    except errors.DecodeError as error:  # a refusal, or an answer that was cut off
        print(f"no meeting: {error}", file=sys.stderr)
        return 1
    print(meeting.place)
    for person in meeting.people:
        print(f"- {person.name} ({person.role})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
