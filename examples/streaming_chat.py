"""Chat in the terminal; each answer is printed as it comes.

Each line of the standard input is a question: `echo "Say hello." | python streaming_chat.py`.
"""

import sys

from codex_api import ApiKeyAuth, Client, Provider, ResponsesApiRequest, errors, events, items

MODEL = "gpt-5.1-codex"


def answer(client: Client, history: list[items.ResponseItem | events.Raw]) -> None:
    """Print the answer to a history, and add what came to it, byte for byte."""
    request = ResponsesApiRequest(model=MODEL, input=history)
    with client.responses.stream(request) as stream:
        for event in stream:
            match event:
                case events.OutputTextDelta(delta):
                    print(delta, end="", flush=True)
                case events.OutputItemDone(raw=raw):
                    history.append(raw)
                case events.Completed(token_usage=usage) if usage is not None:
                    print(f"\n[{usage.input_tokens} tokens in, {usage.output_tokens} out]")


def main() -> None:
    history: list[items.ResponseItem | events.Raw] = []
    with Client(Provider.load("openai"), auth=ApiKeyAuth.from_env()) as client:
        for line in sys.stdin:
            length = len(history)
            history.append(items.Message.user(line.strip()))
            try:
                answer(client, history)
            except errors.CodexApiError as error:
                del history[length:]  # as if the question had not been asked
                again = "try again" if error.retryable else "trying again will not help"
                print(f"\n{error}; {again}", file=sys.stderr)


if __name__ == "__main__":
    main()
