"""Ask a question that was spoken into a WAV file, and keep the answer in another one.

`python voice.py question.wav answer.wav`; any rate and one or two channels will do.
"""

import sys

from codex_api import ApiKeyAuth, Client, Provider, RealtimeSessionConfig, realtime
from codex_api.voice.audio import WavWriter, session_frames


def main(question: str, answer: str) -> int:
    config = RealtimeSessionConfig(instructions="Be brief.", version="v2")
    options = realtime.RealtimeOptions(acknowledge=True)  # the settings are taken, or it raises
    with (
        Client(Provider.load("openai"), auth=ApiKeyAuth.from_env()) as client,
        client.realtime.connect(config, options=options) as connection,
        WavWriter(answer) as recording,
    ):
        for frame in session_frames(question):
            connection.send_audio_frame(frame)
        connection.send_response_create()
        for event in connection:
            match event:
                case realtime.AudioOut(frame):
                    recording.write_frame(frame)
                case realtime.OutputTranscriptDelta(delta):
                    print(delta, end="", flush=True)
                case realtime.RealtimeErrorEvent(message):
                    print(f"the server says: {message}", file=sys.stderr)
                    return 1
                case realtime.ResponseDone(outcome=outcome):
                    print()
                    return 0 if outcome == "completed" else 1
    print("the session ended without an answer", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
