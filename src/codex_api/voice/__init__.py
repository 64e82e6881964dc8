"""Sound for realtime sessions: WAV files, WebRTC peers, the microphone. Only programs use it."""
