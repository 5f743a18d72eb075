// What the tally, the picture's overlay and the key box say: from what the machine said, never from what was tapped.

import { _ } from "./base.js";

const LIVE = ["live", "stopping"];
const OUT = [...LIVE, "reconnecting", "stuck"];
export const HOLDER_OLD_S = 5; // what is told every 2 s is worth nothing any more
const STALE_S = 2;

/** Tell whether an output does nothing, so that it may be started. */
export const isIdle = (output) => ["stopped", "refused", "absent"].includes(output.phase);

/** Tell whether something goes out to viewers, as OBS says; also while it reconnects or cannot be ended. */
export const isSending = (rig) => Boolean(rig?.mine && OUT.includes(rig.sending.phase));

/** How an output stands: connecting, apart (the rig is not ours yet), lost, on. */
export function mode(state) {
  const { rig } = state;
  if (!rig || rig.age === undefined) return state.waitedS > STALE_S ? "lost" : "connecting";
  if (state.ageS > STALE_S) return "lost";
  if (rig.link.state !== "online") return "lost";
  return rig.mine ? "on" : "apart";
}

/** For how many seconds whoever is in control was not heard (0: heard, or nobody knows), and whether that is long enough to take over. */
export function unheard({ holder }) {
  const agoS = holder ? (performance.now() - holder.at) / 1000 : Infinity;
  if (holder?.unheard == null || agoS > HOLDER_OLD_S) return { seconds: 0, isLong: false };
  return { seconds: Math.floor(holder.unheard + agoS), isLong: holder.unheard + agoS >= holder.after };
}

const word = (cls, sign, text, more = "", since = null) => ({ cls, sign, text, more, since });

/** The tally: class, sign (icon name or "dot"), word, second line, since when a clock runs. */
export function tally(state) {
  const { rig, session } = state;
  const how = mode(state);
  if (how === "connecting") return word("off", "dot", _("Connecting"));
  if (how === "lost") return lost(state);
  if (how === "apart") return word("off", "dot", notYet(session), session.why);
  const { phase, since } = rig.sending;
  if (rig.plan.output === "record") return recording(rig) ?? prepared(state);
  if (LIVE.includes(phase)) return word("", "dot", rig.plan.output === "client" ? _("Picture sent") : _("Streaming"), "", since);
  if (phase === "stuck") return word("", "dot", _("Cannot be ended"), _("OBS has to be restarted"), since);
  if (phase === "reconnecting") return word("wait", "alert", _("Stream broken"), _("OBS is reconnecting"), since);
  if (phase === "asked" || phase === "starting") return word("wait", "clock", _("Starting"), _("waiting for OBS"));
  if (phase === "refused") return word("alarm", "alert", _("Not streaming"), _("the platform did not accept"));
  return recording(rig) ?? prepared(state);
}

function recording(rig) {
  if (rig.record.phase === "stuck") return word("alarm", "alert", _("Cannot be ended"), _("OBS has to be restarted"));
  if (rig.record.phase === "paused") return word("wait", "rec", _("Recording paused"), _("at the room’s computer"), rig.record.since);
  return LIVE.includes(rig.record.phase) ? word("rec", "rec", _("Recording"), "", rig.record.since) : null;
}

function lost(state) {
  const seconds = Math.round(state.ageS);
  const was = state.wasSending ? _("on air {n} s ago", { n: seconds }) : seconds > STALE_S ? _("no news for {n} s", { n: seconds }) : "";
  return word(state.wasSending ? "old" : "off", "off", _("Link lost"), was);
}

function notYet(session) {
  if (session.state === "ended" || session.state === "cancelled") return _("Session over");
  if (session.state === "failed") return _("Not ready");
  return session.state === "planned" ? _("Not prepared yet") : _("Preparing");
}

function prepared(state) {
  const { rig, session } = state;
  const { plan } = rig;
  if (plan.state === "waiting_for_key") return word("wait", "key", _("Waiting for key"), _("needed to start"));
  if (plan.state === "failed") return word("alarm", "alert", _("Not ready"), plan.why);
  if (isNewKeyIn(state)) return word("ready", "check", _("Ready"), _("the new key is in"));
  if (session.stopped) return word("off", "dot", _("Not streaming"), _("stopped {at}, on air {time}", { at: session.stopped, time: clock(session.aired) }));
  if (plan.state === "ready") return word("ready", "check", _("Ready"), plan.output === "record" ? _("“Record” starts") : _("“Start” goes live"));
  return word("off", "dot", _("Not on air"), plan.state === "preparing" ? _("Preparing") : "");
}

/** Tell whether the stream was stopped for a new key, and that one lies in OBS now. */
const isNewKeyIn = ({ rig, session }) => session.stopped_for === "new_key" && rig.sending.phase === "stopped" && rig.plan.state === "ready";

/** Tell seconds as a clock: 1:09:24 or 8:24. */
export function clock(seconds) {
  const whole = Math.max(Math.floor(seconds), 0);
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60];
  const two = (n) => String(n).padStart(2, "0");
  return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** What lies over the picture: { title, text, act, hint, calm } or null; `act` names what its button does, calm words can be put away. */
export function overlay(state) {
  const { rig, session } = state;
  const how = mode(state);
  if (how === "lost") return lostOver(state);
  if (how === "apart") return { title: notYet(session), text: session.why || _("The room is prepared shortly before the start."), hint: true };
  if (how !== "on") return null;
  if (rig.panic.level > 0) return panicOver(rig);
  if (rig.sending.phase === "refused") {
    return { title: _("The platform did not accept the stream"), text: _("Most often the key has expired. Paste a new one, then start again."), calm: true };
  }
  if (rig.plan.state === "failed") return { title: _("The room is not ready"), text: rig.plan.why, calm: true };
  if (rig.plan.state === "waiting_for_key") {
    return { title: _("Try picture and sound meanwhile"), text: _("Streaming can start once the key is pasted."), hint: true };
  }
  if (isNewKeyIn(state)) {
    return { title: _("The new key is in"), text: _("The stream was stopped for it. Press “Start stream” to go on."), calm: true };
  }
  if (rig.sending.phase === "stopped" && session.stopped && rig.plan.output !== "record") {
    const text = _("You can start again until {until}; the key is still valid.", { until: session.until });
    return { title: _("Stream stopped. End it on the platform too"), text, calm: true };
  }
  return null;
}

function lostOver(state) {
  const seconds = Math.round(state.ageS);
  if (state.isShut) return { title: _("The bookings are out of reach, so this page cannot connect"), text: _("It goes on by itself. The stream is not touched; check the platform to see whether you are still on air.") };
  const title = seconds > STALE_S ? _("Link to the room lost for {n} s, reconnecting", { n: seconds }) : _("OBS does not answer, reconnecting");
  const text = state.seenAt
    ? _("Picture is from {at} and cannot be operated. Check the platform to see whether you are still on air.", { at: state.seenAt })
    : _("Check the platform to see whether you are still on air.");
  return { title, text };
}

function panicOver(rig) {
  const sound = rig.plan.output === "client" && !rig.audio ? _("Mute in the platform’s program: its sound does not pass OBS.") : _("All sound is muted.");
  if (rig.panic.level === 2) return { title: _("Stopped by force"), text: sound, act: "restore" };
  const going = isSending(rig) ? _("still streaming") : _("not streaming");
  const text = _("“{scene}” is on, {going}. {sound}", { scene: rig.program, going, sound });
  return { title: rig.panic.held ? _("Screen covered") : _("Covering the screen"), act: "restore", text };
}
