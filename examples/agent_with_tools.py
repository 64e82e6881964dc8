"""An agent: the model calls Python functions until it needs none any more.

`python agent_with_tools.py 'Call weather with city=Oslo, please.'`
"""

import sys

from codex_api import ApiKeyAuth, Client, Provider, ResponsesApiRequest, events, items, tools

MODEL = "gpt-5.1-codex"
MOST_TURNS = 8


def weather(city: str, days: int = 1) -> str:
    """Tell the weather of a city.

    Args:
        city: Its name, in English.
        days: How many days from today.
    """
    return f"{city}: 12 degrees in {days} days"


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


TOOLS = {tool.name: tool for tool in map(tools.FunctionTool.from_callable, (weather, add))}


def output_of(call: items.FunctionCall) -> items.FunctionCallOutput:
    """Call a function; the model hears of what went wrong, so that it can do better."""
    try:
        output = str(TOOLS[call.name].call(call.arguments))
    except Exception as error:  # whatever a tool may raise
        output = f"{type(error).__name__}: {error}"
    print(f"{call.name}({call.arguments}) = {output}", file=sys.stderr)
    return items.FunctionCallOutput(call_id=call.call_id, output=output)


def run(client: Client, task: str) -> str:
    """Let the model work on a task, and return what it says at the end."""
    history: list[items.ResponseItem | events.Raw] = [items.Message.user(task)]
    for _ in range(MOST_TURNS):
        request = ResponsesApiRequest(model=MODEL, input=history, tools=list(TOOLS.values()))
        calls: list[items.FunctionCall] = []
        text = ""
        with client.responses.stream(request) as stream:
            for event in stream:
                if isinstance(event, events.OutputTextDelta):
                    text += event.delta
                elif isinstance(event, events.OutputItemDone):
                    history.append(event.raw)
                    if isinstance(event.item, items.FunctionCall):
                        calls.append(event.item)
        if not calls:
            return text
        history += [output_of(call) for call in calls]
    return f"not done after {MOST_TURNS} turns"


def main() -> None:
    with Client(Provider.load("openai"), auth=ApiKeyAuth.from_env()) as client:
        print(run(client, " ".join(sys.argv[1:])))


if __name__ == "__main__":
    main()
