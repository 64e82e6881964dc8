// Holds the peer connection. The server that sent this page creates the call and joins its sideband;
// the events come back from there, so that the page shows what an agent would see.

const MAX_EVENTS = 500;
const MAX_TURNS = 500;
const GONE_AFTER_MS = 5000;
const $ = (id) => document.getElementById(id);

let peer = null;
let microphone = null;
let callId = null;
let turn = null;
let handoff = null;
let count = 0;
// Counts calls and their ends: what was awaited for an earlier one is no longer wanted.
let attempt = 0;

function status(state, text) {
  $("status").dataset.state = state;
  $("status").textContent = text;
  const busy = state === "calling" || state === "connected";
  $("call").disabled = busy;
  $("hangup").disabled = !busy;
  $("mute").disabled = !busy;
}

function line(list, limit, className) {
  const item = document.createElement("li");
  if (className) item.className = className;
  list.append(item);
  while (list.children.length > limit) list.firstChild.remove();
  return item;
}

// Shows the end of a list that changes, except to a reader who has scrolled up.
function following(list, change) {
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  change();
  if (atEnd) list.scrollTop = list.scrollHeight;
}

function say(role, text, whole) {
  if (!turn || turn.role !== role) {
    const item = line($("transcript"), MAX_TURNS, role);
    const name = document.createElement("b");
    name.textContent = role === "user" ? "You" : "Model";
    const body = document.createElement("span");
    item.append(name, body);
    turn = { role, body };
  }
  turn.body.textContent = whole ? text : turn.body.textContent + text;
  if (whole) turn = null;
}

function note(text) {
  turn = null;
  line($("transcript"), MAX_TURNS, "note").textContent = text;
}

const shown = {
  InputTranscriptDelta: (event) => say("user", event.delta, false),
  InputTranscriptDone: (event) => say("user", event.transcript, true),
  OutputTranscriptDelta: (event) => say("assistant", event.delta, false),
  OutputTranscriptDone: (event) => say("assistant", event.transcript, true),
  RealtimeErrorEvent: (event) => note(`Error: ${event.message}`),
  HandoffRequested: (event) => {
    handoff = event.handoff_id;
    $("request").textContent = event.input_transcript;
    $("answer").hidden = false;
    $("answer").scrollIntoView({ block: "nearest" });
  },
  CallEnded: (event) => {
    if (event.call_id !== callId) return;
    note(event.error ? `The call broke off: ${event.error}` : "The call has ended.");
    release();
    status(event.error ? "failed" : "idle", event.error ? "Broken off" : "Not connected");
  },
};

function receive(message) {
  const event = JSON.parse(message.data);
  $("count").textContent = String(++count);
  const { event: name, ...fields } = event;
  following($("events"), () => {
    const item = line($("events"), MAX_EVENTS);
    const title = document.createElement("b");
    title.textContent = name;
    item.append(title, ` ${JSON.stringify(fields)}`);
    item.title = JSON.stringify(fields);
  });
  following($("transcript"), () => shown[name]?.(event));
}

function release() {
  attempt++;
  microphone?.getTracks().forEach((track) => track.stop());
  peer?.close();
  peer = microphone = turn = callId = null;
  $("answer").hidden = true;
  $("mute").setAttribute("aria-pressed", "false");
}

function gathered(connection) {
  return new Promise((resolve) => {
    if (connection.iceGatheringState === "complete") return resolve();
    connection.addEventListener("icegatheringstatechange", () => {
      if (connection.iceGatheringState === "complete") resolve();
    });
    setTimeout(resolve, 3000);
  });
}

async function openMicrophone() {
  try {
    return await navigator.mediaDevices.getUserMedia({ audio: true });
  } catch (error) {
    throw new Error(`The microphone cannot be used: ${error.message}`);
  }
}

async function call() {
  const mine = ++attempt;
  status("calling", "Calling ...");
  try {
    const opened = await openMicrophone();
    if (mine !== attempt) {
      opened.getTracks().forEach((track) => track.stop());
      return;
    }
    microphone = opened;
    const connection = (peer = new RTCPeerConnection());
    connection.addTrack(microphone.getAudioTracks()[0], microphone);
    connection.createDataChannel("oai-events");
    connection.addEventListener("track", ({ streams: [stream] }) => {
      $("sound").srcObject = stream;
    });
    connection.addEventListener("connectionstatechange", () => {
      if (connection !== peer) return;
      if (connection.connectionState === "connected") status("connected", "Connected");
      if (connection.connectionState === "failed") {
        release();
        status("failed", "The connection was lost");
      }
    });
    await connection.setLocalDescription(await connection.createOffer());
    await gathered(connection);
    if (mine !== attempt) return;
    const response = await fetch("calls", { method: "POST", body: connection.localDescription.sdp });
    const answer = await response.json();
    if (mine !== attempt) return;
    if (!response.ok) throw new Error(answer.error);
    callId = answer.call_id;
    await connection.setRemoteDescription({ type: "answer", sdp: answer.sdp });
  } catch (error) {
    if (mine !== attempt) return;
    release();
    status("failed", error.message);
  }
}

async function hangUp() {
  release();
  status("idle", "Not connected");
  await fetch("hangup", { method: "POST" }).catch(() => {});
}

function mute() {
  const muted = $("mute").getAttribute("aria-pressed") !== "true";
  microphone?.getAudioTracks().forEach((track) => (track.enabled = !muted));
  $("mute").setAttribute("aria-pressed", String(muted));
}

async function answer(submission) {
  submission.preventDefault();
  const text = $("answer-text").value;
  const response = await fetch("answer", {
    method: "POST",
    body: JSON.stringify({ handoff_id: handoff, text }),
  });
  if (!response.ok) return note("The answer was not taken.");
  $("answer-text").value = "";
  $("answer").hidden = true;
}

$("call").addEventListener("click", call);
$("hangup").addEventListener("click", hangUp);
$("mute").addEventListener("click", mute);
$("answer").addEventListener("submit", answer);
window.addEventListener("pagehide", release);
const source = new EventSource("events");
source.addEventListener("message", receive);
source.addEventListener("error", () => {
  // The browser tries again by itself; without the program behind the page there is no call.
  setTimeout(() => {
    if (source.readyState === EventSource.OPEN) return;
    release();
    status("gone", "The program behind this page has stopped");
    $("call").disabled = true;
  }, GONE_AFTER_MS);
});
source.addEventListener("open", () => {
  if ($("status").dataset.state === "gone") status("idle", "Not connected");
});
