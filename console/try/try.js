// The try-it page: joins a room with the SDK, shows who is there and what happens, and lets the
// server of `--dev` sign calls as a backend would.

import { ZegoExpressEngine } from "/sdk/odeum.js";
import { actionGroups } from "/try/actions.js";

const $ = (id) => document.getElementById(id);
const query = new URLSearchParams(location.search);
const names = [
  "Ada",
  "Grace",
  "Alan",
  "Edsger",
  "Barbara",
  "Donald",
  "Hedy",
  "Claude",
  "Radia",
  "Leslie",
];
const logEntriesMax = 500;

/** What the page knows while it is in a room; undefined outside. */
let room;

// Joining and leaving

const pick = (list) => list[Math.floor(Math.random() * list.length)];
const slug = (text) =>
  text
    .normalize("NFKD")
    .replace(/[^0-9A-Za-z_-]+/g, "")
    .slice(0, 24) || "guest";
const suffix = () => Math.random().toString(36).slice(2, 6);

function hueOf(text) {
  let hash = 7;
  for (const character of text) hash = (hash * 31 + character.codePointAt(0)) % 3600;
  return hash % 360;
}

$("room").value = query.get("room") || "odeum";
$("name").value = query.get("name") || pick(names);
for (const choice of document.querySelectorAll("[name=source]")) {
  if (choice.value === query.get("source")) choice.checked = true;
}

$("join-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const source = new FormData($("join-form")).get("source");
  $("join").disabled = true;
  say("");
  try {
    await join($("room").value.trim(), $("name").value.trim(), source);
  } catch (error) {
    leave(`Could not join: ${describe(error)}`);
  } finally {
    $("join").disabled = false;
  }
});

$("leave").addEventListener("click", () => leave(""));

async function join(roomID, name, source) {
  const userID = `${slug(name)}-${suffix()}`;
  const parameters = new URLSearchParams({ room: roomID, user: userID });
  const response = await fetch(`/try/session?${parameters}`);
  if (!response.ok) throw new Error(await response.text());
  const { app_id, token, signal_path } = await response.json();
  const address = new URL(signal_path, location.href);
  address.protocol = address.protocol.replace("http", "ws");

  const engine = new ZegoExpressEngine(app_id, address.href);
  room = {
    engine,
    roomID,
    userID,
    name,
    source,
    streamID: `${userID}-main`,
    users: new Map(),
    plays: new Map(),
  };
  listen(engine);
  room.stream = await openStream(engine, source, name);
  await engine.loginRoom(roomID, token, { userID, userName: name }, { userUpdate: true });
  document.body.dataset.phase = "in";
  $("where").innerHTML = "in <b></b> as <b></b>";
  const [where, who] = $("where").querySelectorAll("b");
  [where.textContent, who.textContent] = [roomID, name];
  const others = names.filter((each) => each !== name);
  const invitation = `/try?${new URLSearchParams({ room: roomID, name: pick(others), source })}`;
  $("second").href = $("invite").href = invitation;
  for (const id of ["camera", "microphone"]) $(id).setAttribute("aria-pressed", "true");
  showTile(room.streamID, { userID, userName: name }, true);
  room.stream.playVideo(tileOf(room.streamID).querySelector(".picture"), {
    mirror: source === "camera",
    objectFit: "cover",
  });
  publish();
  choose(backend, "DeleteStream");
  choose(sayings, "Broadcast");
  $("outcome").textContent = "";
  suggest();
}

function publish() {
  setState(room.streamID, "Connecting …");
  room.engine.startPublishingStream(room.streamID, room.stream, { extraInfo: room.source });
}

function leave(why) {
  const left = room;
  room = undefined;
  if (left) {
    left.engine.logoutRoom();
    left.engine.destroyEngine();
    for (const { view } of left.plays.values()) view?.stop();
    if (left.stream) left.engine.destroyStream(left.stream);
    left.generated?.stop();
  }
  document.body.dataset.phase = "out";
  $("tiles").replaceChildren();
  $("where").textContent = "";
  say(why);
}

function say(text) {
  $("notice").hidden = text === "";
  $("notice").textContent = text;
}

/** One sentence for what a promise was rejected with. */
function describe(error) {
  if (error?.errorCode) return `${error.extendedData || "refused"} (${error.errorCode})`;
  return error?.message ?? String(error);
}

// What is sent

async function openStream(engine, source, name) {
  if (source === "camera")
    return engine.createZegoStream({ camera: { video: { quality: 3 }, audio: true } });
  room.generated = makePicture(name);
  const custom = { source: room.generated.media };
  return engine.createZegoStream({ custom: { video: custom, audio: custom }, videoBitrate: 900 });
}

/** A moving picture of the name's own colour and a soft tone of its own pitch. */
function makePicture(name) {
  const canvas = Object.assign(document.createElement("canvas"), { width: 640, height: 360 });
  const context = canvas.getContext("2d");
  const hue = hueOf(name);
  const started = performance.now();
  const draw = () => drawFrame(context, name, hue, (performance.now() - started) / 1000);
  draw();
  // A worker's clock goes on while the tab is in the background; animation frames do not.
  const clock = new Worker(
    URL.createObjectURL(new Blob(["setInterval(() => postMessage(0), 1000 / 24)"])),
  );
  clock.onmessage = draw;
  const audio = new AudioContext();
  const destination = audio.createMediaStreamDestination();
  const volume = new GainNode(audio, { gain: 0.03 });
  const tremolo = new OscillatorNode(audio, { frequency: 0.7 });
  const depth = new GainNode(audio, { gain: 0.02 });
  const scale = [220, 247.5, 277.2, 330, 371.2, 440];
  const tone = new OscillatorNode(audio, {
    frequency: scale[hue % scale.length],
    type: "triangle",
  });
  tremolo.connect(depth).connect(volume.gain);
  tone.connect(volume).connect(destination);
  tone.start();
  tremolo.start();
  void audio.resume();
  const media = new MediaStream([
    ...canvas.captureStream(24).getTracks(),
    ...destination.stream.getTracks(),
  ]);
  const stop = () => {
    clock.terminate();
    void audio.close();
    for (const track of media.getTracks()) track.stop();
  };
  return { media, stop };
}

function drawFrame(context, name, hue, seconds) {
  const { width, height } = context.canvas;
  const sky = context.createLinearGradient(0, 0, width, height);
  sky.addColorStop(0, `hsl(${hue + 18 * Math.sin(seconds / 3)} 62% 34%)`);
  sky.addColorStop(1, `hsl(${hue + 55} 58% 16%)`);
  context.fillStyle = sky;
  context.fillRect(0, 0, width, height);
  // Rows of a theatre, rising and falling like people who make themselves comfortable.
  context.lineCap = "round";
  for (let row = 0; row < 7; row += 1) {
    const radius = 60 + row * 46;
    context.lineWidth = 13;
    context.strokeStyle = `hsl(${hue + row * 9} 80% ${72 - row * 5}% / ${0.5 - row * 0.05})`;
    context.setLineDash([14 + row * 2, 30 + 8 * Math.sin(seconds + row)]);
    context.lineDashOffset = (row % 2 ? -1 : 1) * seconds * (16 + row * 4);
    context.beginPath();
    context.arc(
      width / 2,
      height + 30 + 8 * Math.sin(seconds * 1.3 + row / 2),
      radius,
      Math.PI,
      2 * Math.PI,
    );
    context.stroke();
  }
  context.setLineDash([]);
  context.textAlign = "center";
  context.fillStyle = "white";
  context.font = "600 64px system-ui, 'DejaVu Sans', sans-serif";
  context.fillText(name, width / 2, 118 + 6 * Math.sin(seconds * 2), width - 40);
  context.fillStyle = "rgb(255 255 255 / 75%)";
  context.font = "22px ui-monospace, 'DejaVu Sans Mono', monospace";
  context.fillText(new Date().toISOString().slice(11, 22), width / 2, 160);
}

function toggle(button, mute) {
  const isOn = button.getAttribute("aria-pressed") === "true";
  button.setAttribute("aria-pressed", String(!isOn));
  mute(room.stream, isOn);
}

$("camera").addEventListener("click", (event) =>
  toggle(event.currentTarget, (stream, isOn) => room.engine.mutePublishStreamVideo(stream, isOn)),
);
$("microphone").addEventListener("click", (event) =>
  toggle(event.currentTarget, (stream, isOn) => room.engine.mutePublishStreamAudio(stream, isOn)),
);

// What happens in the room

function listen(engine) {
  engine.on("roomStateChanged", (roomID, reason, errorCode, extendedData) => {
    log(
      "room",
      "roomStateChanged",
      [reason, errorCode || "", extendedData].filter(Boolean).join(" · "),
    );
    if (reason === "KICKOUT")
      leave(
        `You were taken out of ${roomID}${extendedData ? `: ${extendedData}` : ""} (${errorCode})`,
      );
    if (reason === "RECONNECT_FAILED") leave(`The connection to ${roomID} was lost (${errorCode})`);
  });
  engine.on("roomUserUpdate", (_roomID, updateType, users) => {
    log("user", `roomUserUpdate ${updateType}`, users.map(userText).join(", "));
    for (const user of users) {
      if (updateType === "ADD") room.users.set(user.userID, user);
      else room.users.delete(user.userID);
    }
    suggest();
  });
  engine.on("roomStreamUpdate", (_roomID, updateType, streams, extendedData) => {
    const what = streams
      .map((stream) => `${stream.streamID} of ${userText(stream.user)}`)
      .join(", ");
    log(
      "stream",
      `roomStreamUpdate ${updateType}`,
      [what, extendedData].filter(Boolean).join(" · "),
    );
    for (const stream of streams) {
      if (updateType === "ADD") void play(stream);
      else stopPlay(stream.streamID);
    }
    suggest();
  });
  engine.on("roomOnlineUserCountUpdate", (_roomID, count) =>
    log("user", "roomOnlineUserCountUpdate", `${count} here`),
  );
  engine.on("IMRecvBroadcastMessage", (_roomID, messages) => {
    for (const { fromUser, message, messageID } of messages)
      log("message", "IMRecvBroadcastMessage", `${userText(fromUser)}: ${message} · ${messageID}`);
  });
  engine.on("IMRecvBarrageMessage", (_roomID, messages) => {
    for (const { fromUser, message, messageID } of messages)
      log("message", "IMRecvBarrageMessage", `${userText(fromUser)}: ${message} · ${messageID}`);
  });
  engine.on("IMRecvCustomCommand", (_roomID, fromUser, command) =>
    log("message", "IMRecvCustomCommand", `${userText(fromUser)}: ${command}`),
  );
  engine.on("roomExtraInfoUpdate", (_roomID, list) => {
    for (const { key, value, updateUser } of list)
      log("room", "roomExtraInfoUpdate", `${key} = ${value} · set by ${userText(updateUser)}`);
  });
  engine.on("streamExtraInfoUpdate", (_roomID, streams) => {
    for (const { streamID, extraInfo } of streams)
      log("stream", "streamExtraInfoUpdate", `${streamID}: ${extraInfo}`);
  });
  engine.on("publisherStateUpdate", ({ streamID, state, errorCode, extendedData }) => {
    log("publish", `publisherStateUpdate ${state}`, stateText(streamID, errorCode, extendedData));
    if (!room) return;
    if (state === "PUBLISHING") setLive(streamID);
    else if (state === "NO_PUBLISH" && errorCode !== 0)
      offerToPublish(streamID, errorCode, extendedData);
    else setState(streamID, "Connecting …");
  });
  engine.on("playerStateUpdate", ({ streamID, state, errorCode, extendedData }) => {
    log("play", `playerStateUpdate ${state}`, stateText(streamID, errorCode, extendedData));
    if (!room) return;
    if (state === "PLAYING") setLive(streamID);
    else setState(streamID, state === "NO_PLAY" ? `No media (${errorCode})` : "Connecting …");
  });
  engine.on("publishQualityUpdate", (streamID, { video, audio }) =>
    showQuality(streamID, "publishQualityUpdate", "publish", video, audio, undefined),
  );
  engine.on("playQualityUpdate", (streamID, { video, audio, peerToPeerDelay }) =>
    showQuality(streamID, "playQualityUpdate", "play", video, audio, peerToPeerDelay),
  );
  engine.on("tokenWillExpire", async (roomID) => {
    log("room", "tokenWillExpire", "renewing the token");
    const response = await fetch(
      `/try/session?${new URLSearchParams({ room: roomID, user: room.userID })}`,
    );
    if (response.ok) room?.engine.renewToken((await response.json()).token);
  });
}

const userText = (user) => user.userName || user.userID;
const stateText = (streamID, errorCode, extendedData) =>
  [streamID, errorCode || "", extendedData].filter(Boolean).join(" · ");

async function play({ streamID, user }) {
  showTile(streamID, user, false);
  const entry = { view: undefined };
  room.plays.set(streamID, entry);
  const { engine, plays } = room;
  try {
    const media = await engine.startPlayingStream(streamID);
    if (plays.get(streamID) !== entry) return; // Gone meanwhile.
    entry.view = engine.createRemoteStreamView(media);
    entry.view.on("autoplayFailed", () =>
      document.addEventListener("click", () => entry.view.resume(), { once: true }),
    );
    entry.view.play(tileOf(streamID).querySelector(".picture"), { objectFit: "cover" });
  } catch (error) {
    if (plays.get(streamID) === entry)
      setState(streamID, `In the list, without media: ${describe(error)}`);
  }
}

function stopPlay(streamID) {
  room.engine.stopPlayingStream(streamID);
  room.plays.get(streamID)?.view?.stop();
  room.plays.delete(streamID);
  tileOf(streamID)?.remove();
}

// Tiles

const tileOf = (streamID) => document.querySelector(`.tile[data-stream="${CSS.escape(streamID)}"]`);

function showTile(streamID, user, isOwn) {
  tileOf(streamID)?.remove();
  const tile = document.createElement("li");
  tile.className = "tile";
  Object.assign(tile.dataset, { stream: streamID, user: user.userID, own: isOwn, live: false });
  tile.innerHTML = `<div class="picture"><div class="state">Connecting …</div></div>
    <div class="caption">
    <span class="who"></span><button type="button" class="quiet small delete"></button>
    <span class="quality">waiting for numbers …</span><span class="stream-id"></span></div>`;
  tile.querySelector(".who").textContent = userText(user);
  if (isOwn)
    tile.querySelector(".who").insertAdjacentHTML("beforeend", '<span class="tag">you</span>');
  tile.querySelector(".stream-id").textContent = streamID;
  const button = tile.querySelector(".delete");
  button.textContent = "Delete …";
  button.ariaLabel = `Prepare DeleteStream for ${streamID}`;
  button.addEventListener("click", () => {
    choose(backend, "DeleteStream", { StreamId: streamID });
    $("send").focus();
  });
  if (isOwn) $("tiles").prepend(tile);
  else $("tiles").append(tile);
}

function setLive(streamID) {
  const tile = tileOf(streamID);
  if (tile) tile.dataset.live = "true";
}

function setState(streamID, text) {
  const tile = tileOf(streamID);
  if (!tile) return;
  tile.dataset.live = "false";
  tile.querySelector(".state").textContent = text;
}

/** What the backend did to one's own stream, by the reason that is told. */
const endedBy = {
  stream_deleted: "Your stream was deleted. You are still in the room.",
  stream_forbidden: "Your stream was forbidden. You are still in the room.",
};

function offerToPublish(streamID, errorCode, extendedData) {
  const reason = extendedData === "" ? "" : JSON.parse(extendedData).reason;
  const why = endedBy[reason] ?? `Not published: ${reason} (${errorCode})`;
  setState(streamID, why);
  const again = Object.assign(document.createElement("button"), {
    type: "button",
    textContent: "Publish again",
  });
  again.addEventListener("click", publish);
  tileOf(streamID)?.querySelector(".state").append(again);
}

function showQuality(streamID, event, kind, video, audio, delay_ms) {
  const parts = [
    video.frameWidth > 0 ? `${video.frameWidth}×${video.frameHeight}` : "",
    `${Math.round(video.videoFPS)} fps`,
    `${Math.round(video.videoBitrate + audio.audioBitrate)} kbit/s`,
    `${video.videoPacketsLostRate} % lost`,
    delay_ms === undefined ? "" : `${Math.round(delay_ms)} ms`,
    video.googCodecName,
  ].filter(Boolean);
  const line = tileOf(streamID)?.querySelector(".quality");
  if (line) line.textContent = parts.join(" · ");
  if ($("with-quality").checked) log(kind, event, `${streamID} · ${parts.join(" · ")}`);
}

// The log

function log(kind, event, detail) {
  const list = $("log");
  const entry = document.createElement("li");
  entry.dataset.kind = kind;
  entry.innerHTML = '<time></time><span class="event"></span><span class="detail"></span>';
  const [time, name, text] = entry.children;
  const now = new Date();
  time.dateTime = now.toISOString();
  const milliseconds = String(now.getMilliseconds()).padStart(3, "0");
  time.textContent = `${now.toTimeString().slice(0, 8)}.${milliseconds}`;
  [name.textContent, text.textContent] = [event, detail];
  list.prepend(entry);
  while (list.children.length > logEntriesMax) list.lastChild.remove();
}

$("clear").addEventListener("click", () => $("log").replaceChildren());

// The two panels: what the backend calls, and what oneself says

/** Fields of each kind, and the call of the SDK that sends them. */
const kinds = {
  Broadcast: [["message", { value: () => "hello, everyone" }]],
  Barrage: [["message", { value: () => "bravo!" }]],
  Command: [
    ["command", { value: () => "look here" }],
    ["to (nobody named: all)", { list: "users", value: () => "", optional: true, many: true }],
  ],
  "Room info": [
    ["key", { value: () => "topic" }],
    ["value", { value: () => "theatre", optional: true }],
  ],
  "Stream info": [["extraInfo", { value: () => "on stage", optional: true }]],
};
const calls = {
  Broadcast: ["sendBroadcastMessage", ({ roomID }, [message]) => [roomID, message]],
  Barrage: ["sendBarrageMessage", ({ roomID }, [message]) => [roomID, message]],
  Command: ["sendCustomCommand", ({ roomID }, [command, to]) => [roomID, command, to ?? []]],
  "Room info": ["setRoomExtraInfo", ({ roomID }, [key, value = ""]) => [roomID, key, value]],
  "Stream info": ["setStreamExtraInfo", ({ streamID }, [info = ""]) => [streamID, info]],
};

const backend = {
  choices: Object.assign({}, ...Object.values(actionGroups)),
  name: "action",
  list: $("actions"),
  fields: $("fields"),
};
const sayings = { choices: kinds, name: "kind", list: $("kinds"), fields: $("words") };

const firstOther = () => document.querySelector('.tile[data-own="false"]');
const here = {
  stream: () => firstOther()?.dataset.stream ?? room.streamID,
  otherUser: () => firstOther()?.dataset.user,
  ownUser: () => room.userID,
  suffix,
};

/** Adds one of several to choose from. */
function addChoice(list, name, choice, onChosen) {
  const label = document.createElement("label");
  label.innerHTML = '<input type="radio" /><span></span>';
  label.firstChild.name = name;
  label.firstChild.value = label.lastChild.textContent = choice;
  label.firstChild.addEventListener("change", onChosen);
  list.append(label);
}

for (const panel of [backend, sayings]) {
  for (const choice of Object.keys(panel.choices))
    addChoice(panel.list, panel.name, choice, () => choose(panel, choice));
}
for (const [group, actions] of Object.entries(actionGroups))
  addChoice($("groups"), "group", group, () => choose(backend, Object.keys(actions)[0]));

function choose(panel, choice, values = {}) {
  for (const input of panel.list.querySelectorAll("input")) input.checked = input.value === choice;
  if (panel === backend) showGroupOf(choice);
  const shown = panel.choices[choice].filter(([, { computed }]) => !computed);
  panel.fields.replaceChildren(...shown.map(([name, field]) => fieldOf(name, field, values[name])));
  showNeeded(panel, choice);
}

function showGroupOf(action) {
  const [group] = Object.entries(actionGroups).find(([, actions]) => action in actions);
  for (const input of $("groups").querySelectorAll("input")) input.checked = input.value === group;
  for (const label of $("actions").children)
    label.hidden = !(label.firstChild.value in actionGroups[group]);
}

function fieldOf(name, { label: text = name, list, choices, value, optional, half }, given) {
  const label = Object.assign(document.createElement("label"), { textContent: text });
  label.classList.toggle("half", half === true);
  const input = document.createElement(choices ? "select" : "input");
  Object.assign(input, { name, required: !optional, autocomplete: "off" });
  if (choices) input.append(...choices.map(([code, meaning]) => new Option(meaning, code)));
  else input.value = given ?? value(here);
  if (list) input.setAttribute("list", list);
  // Until it is chosen or typed, a name follows who is there.
  if (list && !given) input.follow = value;
  input.addEventListener("input", () => delete input.follow);
  label.append(input);
  return label;
}

/** Shows the fields that what was chosen in another one asks for. */
function showNeeded(panel, choice) {
  const inputOf = (name) => panel.fields.querySelector(`[name="${CSS.escape(name)}"]`);
  for (const [name, { when }] of panel.choices[choice]) {
    if (!when) continue;
    const input = inputOf(name);
    input.disabled = !when[1].includes(inputOf(when[0]).value);
    input.parentElement.hidden = input.disabled;
  }
}
$("fields").addEventListener("change", () => showNeeded(backend, chosen(backend)));
const chosen = (panel) => panel.list.querySelector("input:checked").value;

/** Offers the names in the room in the backend's fields, and names those who have no tile. */
function suggest() {
  $("alone").hidden = room.users.size > 0;
  const silent = [...room.users.values()].filter(
    (user) => !document.querySelector(`.tile[data-user="${CSS.escape(user.userID)}"]`),
  );
  $("silent").textContent =
    silent.length > 0 ? `Here without a stream: ${silent.map(userText).join(", ")}` : "";
  const option = (value) => Object.assign(document.createElement("option"), { value });
  const streams = [...document.querySelectorAll(".tile")].map((tile) => tile.dataset.stream);
  $("streams").replaceChildren(...streams.map(option));
  for (const input of document.querySelectorAll(".fields input")) {
    if (input.follow) input.value = input.follow(here);
  }
  $("users").replaceChildren(...[room.userID, ...room.users.keys()].map(option));
}

$("call-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const { choice: action, values } = filledIn(backend, $("call-form"));
  const parameters = { RoomId: room.roomID, ...values };
  $("send").disabled = true;
  try {
    showExchange(action, await call(action, parameters));
  } catch (error) {
    showExchange(action, { request: action, reply: describe(error) });
  } finally {
    $("send").disabled = false;
  }
});

/** What is chosen and what its fields hold; a field that is empty has no value. */
function filledIn(panel, element) {
  const form = new FormData(element);
  const choice = chosen(panel);
  const values = {};
  for (const [name, { many, computed }] of panel.choices[choice]) {
    // One that is not needed is disabled, and not in the form.
    const value = computed?.() ?? form.get(name)?.trim() ?? "";
    if (value !== "") values[name] = many ? value.split(/[\s,]+/) : value;
  }
  return { choice, values };
}

$("say-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const { choice, values } = filledIn(sayings, $("say-form"));
  const [method, parametersOf] = calls[choice];
  const inOrder = kinds[choice].map(([name]) => values[name]);
  const { errorCode, extendedData } = await room.engine[method](...parametersOf(room, inOrder));
  const outcome = errorCode === 0 ? "sent" : `refused (${errorCode})`;
  const told = [outcome, extendedData].filter(Boolean).join(" · ");
  $("outcome").textContent = told;
  log("message", method, [...inOrder.filter(Boolean), told].join(" · "));
});

async function call(action, parameters) {
  const response = await fetch("/try/call", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ action, parameters }),
  });
  if (!response.ok) throw new Error(await response.text());
  return response.json();
}

function showExchange(action, { request, reply }) {
  const code = reply?.Code;
  $("exchange").hidden = false;
  $("request").textContent = request;
  $("reply").textContent = typeof reply === "string" ? reply : JSON.stringify(reply, null, 2);
  $("code").textContent = code === undefined ? "failed" : `Code ${code}`;
  $("code").dataset.ok = String(code === 0);
  $("message").textContent = reply?.Message ?? "";
  log("backend", action, `Code ${code ?? "?"} · ${reply?.Message ?? ""}`);
}
