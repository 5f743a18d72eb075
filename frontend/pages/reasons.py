"""What the codes of directors and rigs mean, in words for people; a code without words shows itself."""

from collections.abc import Mapping
from typing import Any

from frontend import i18n
from incubator.ground.errors import N_

REASONS: dict[str, str] = {
    # why a room is not ready, and what a rig is in
    "obs_unreachable": N_("OBS on the room’s computer does not answer."),
    "unclean": N_("The last session’s key may still be on this rig. It is used again once an operator has made sure."),
    "not_emptied": N_("OBS could not be reached to wipe the stream key after the session."),
    "no_scenes": N_("OBS has no scene."),
    "stand_by_missing": N_("OBS has no scene to cover the picture with. An operator chooses one on the rig’s page."),
    "no_virtual_camera": N_("This OBS has no virtual camera. Choose another output."),
    "destination_not_kept": N_("OBS did not keep the stream key as it was written."),
    "destination_changed": N_("The stream key in OBS was changed by hand."),
    "key_in_other_profile": N_("A stream key is still in the OBS profile {profile}. Empty it there."),
    "recording_stuck": N_("OBS cannot end its recording. Restart OBS there; on air, after the show."),
    "key_changed": N_("A new key is being written."),
    "not_armable": N_("Another session’s key is still on this rig."),
    "not_wiped": N_("OBS kept the stream key although it was wiped."),
    "database_away": N_("The bookings are out of reach at the moment. Scenes, sound and panic work."),
    "wrong_secrets_key": N_("The stored key cannot be read. Paste it again."),
    "rig_busy": N_("The room’s last session has not ended yet."),
    "no_rig": N_("This room has no rig in use."),
    "no_director": N_("Nothing serves this room at the moment. An operator is needed."),
    "alarm": N_("OBS streams something that was not started here."),
    "unknown_stream": N_("OBS streams something that was not started here."),
    # why a gesture was refused
    "not_in_obs": N_("OBS no longer has this."),
    "no_sound": N_("This source has no sound."),
    "out_of_range": N_("OBS does not take this value."),
    "panic_first": N_("Panic came first."),
    "panic_on": N_("The screen is covered. Bring the picture back first."),
    "link_down": N_("Not sent: OBS does not answer."),
    "busy": N_("OBS is busy. Tap again."),
    "obs_refused": N_("OBS refused this."),
    "not_owner": N_("The room was just handed to another process. Tap again."),
    "not_prepared": N_("The room is not prepared for this session yet."),
    "session_over": N_("This session is over."),
    "no_such_output": N_("This OBS does not have this output."),
    "record_only": N_("This session is recorded only."),
    "key_not_armed": N_("The stream key is not in OBS yet."),
    "waiting_for_key": N_("The stream key is missing."),
    "already_running": N_("It runs already."),
    "mute_in_client": N_("Mute in the platform’s program too: its sound does not pass OBS."),
    # what a connection test brought
    "unreachable": N_("Nothing answers at this address."),
    "wrong_password": N_("OBS refuses the password."),
    "wrong_version": N_("This OBS speaks another protocol. It takes OBS 28 or later."),
    "kicked": N_("Somebody at the room’s computer closed the connection. Allow it there again."),
    "unknown": N_("No answer came in time."),
}
UNKNOWN = N_("Reason: {code}")


def reason_text(code: str, params: Mapping[str, Any] | None = None) -> str:
    """Return a code in words of the present language; "" for no code."""
    if not code:
        return ""
    msgid = REASONS.get(code)
    return i18n.translate(UNKNOWN, {"code": code}) if msgid is None else i18n.translate(msgid, params)
