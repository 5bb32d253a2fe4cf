"""Who says when an utterance is over: the endpointer with its numbers, or the port alone."""

from tfhrf.deploy.c_text import banner
from tfhrf.endpoint import DECIBEL, decibels


def listener_files(files, endpoint, config):
    """The sources of an application with the one listener that it needs.

    Args:
        files: name to text of all sources in c/, those of either listener among them.
        endpoint: EndpointConfig, or None where the port ends utterances.
        config: LogMelConfig of the front end.

    Returns:
        dict: name of a file to its text.

    Raises:
        ValueError: a frame of the endpointer is no whole number of the front end's hops.
    """
    files = dict(files)
    of_port = files.pop("listener_port.c")
    if endpoint is None:
        own = ("endpoint.c", "endpoint.h", "listener.c")
        return {name: text for name, text in files.items() if name not in own} | {
            "listener.c": of_port
        }
    if endpoint.frame % config.hop:
        raise ValueError(
            f"A frame of `endpoint` must be a whole number of hops of {config.hop} samples. "
            f"Received: frame={endpoint.frame}"
        )
    return files | {"endpoint_tables.h": tables(endpoint, config)}


def waiting_frames(endpoint, config):
    """Most frames of the front end that wait: before an utterance is sure, or in a pause."""
    before = (endpoint.speech + endpoint.margin) * endpoint.frame // config.hop
    pause = (endpoint.hangover - endpoint.margin) * endpoint.frame // config.hop
    return max(before, pause)


def tables(endpoint, config):
    """The text of endpoint_tables.h."""
    constants = {
        "FRAME": f"{endpoint.frame}U",
        "THRESHOLD": endpoint.threshold * DECIBEL << 8,
        "RELEASE": endpoint.release * DECIBEL << 8,
        "LEAST_FLOOR": decibels(endpoint.least_floor, endpoint) << 8,
        "FIRST_FLOOR": decibels(endpoint.first_floor, endpoint) << 8,
        "FALL": endpoint.fall,
        "RISE": endpoint.rise,
        "CLIMB": endpoint.climb * DECIBEL,
        "SPEECH_FRAMES": f"{endpoint.speech}U",
        "MARGIN": f"{endpoint.margin}U",
        "HANGOVER": f"{endpoint.hangover}U",
        "LONGEST": f"{endpoint.longest * endpoint.frame}U",
    }
    lines = [
        f"/* {banner()}",
        f" * {endpoint} */",
        "#ifndef ENDPOINT_TABLES_H_",
        "#define ENDPOINT_TABLES_H_",
        "",
        *(f"#define ENDPOINT_{name} {value}" for name, value in constants.items()),
        "",
        "/* Frames of the front end that wait at most. */",
        f"#define ENDPOINT_WAITING {waiting_frames(endpoint, config)}U",
        "",
        "#endif",
    ]
    return "\n".join(lines) + "\n"
