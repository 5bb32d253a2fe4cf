"""Folders that drop into other tools: where each file goes, and the tools' own files."""

import pathlib
import re

PORTS = pathlib.Path(__file__).parent / "ports"
LAYOUTS = ("arduino", "esp-idf", "cmake")
# Of sketches: Arduino refuses others.
ARDUINO_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}(?<!\.)")


def check_layout(layout, directory):
    """Raises ValueError for an unknown layout, or a folder whose name its tools refuse."""
    if layout not in LAYOUTS:
        raise ValueError(f"`layout` must be one of {list(LAYOUTS)}. Received: {layout!r}")
    folder = pathlib.Path(directory).resolve().name
    if layout == "arduino" and not ARDUINO_NAME.fullmatch(folder):
        raise ValueError(
            "The folder of a sketch must have a name of letters, digits, underscores, dots and "
            f"dashes, at most 63. Received: {folder!r}"
        )


def arrange(layout, directory, name, sources):
    """The files of a layout.

    Args:
        layout: one of LAYOUTS.
        directory: the folder; an Arduino sketch has its name.
        name: of the model.
        sources: name to text of all files but the two of a port.

    Returns:
        dict: path in the folder to text.
    """
    port = {path.name: path.read_text() for path in sorted((PORTS / layout).iterdir())}
    if layout == "arduino":
        sketch = pathlib.Path(directory).resolve().name
        port[f"{sketch}.ino"] = port.pop("sketch.ino")
        return {**port, **{f"src/{arduino_file(file)}": text for file, text in sources.items()}}
    if layout == "esp-idf":
        settings = {"sdkconfig.defaults": port.pop("sdkconfig.defaults")}
        component = {**port, **sources}
        component["CMakeLists.txt"] = esp_component(compiled(component))
        component["idf_component.yml"] = ESP_DEPENDENCIES
        return {
            "CMakeLists.txt": ESP_PROJECT.format(name=name),
            **settings,
            **{f"main/{file}": text for file, text in component.items()},
        }
    files = {**port, **sources}
    return {"CMakeLists.txt": cmake_lists(name, compiled(files)), **files}


def arduino_file(file):
    """Arduino compiles .cpp, not .cc."""
    return f"{file[:-3]}.cpp" if file.endswith(".cc") else file


def compiled(files):
    return sorted(file for file in files if file.endswith((".c", ".cc")))


ESP_PROJECT = """\
cmake_minimum_required(VERSION 3.16)
include($ENV{{IDF_PATH}}/tools/cmake/project.cmake)
project({name})
"""
ESP_DEPENDENCIES = """\
dependencies:
  idf: ">=5.0"
  espressif/esp-tflite-micro: "^1.3.5"
"""


def esp_component(sources):
    lines = [f'         "{file}"' for file in sources]
    return "\n".join(["idf_component_register(", "    SRCS", *lines, '    INCLUDE_DIRS ".")', ""])


def cmake_lists(name, sources):
    return CMAKE.format(name=name, sources="\n".join(f"  {file}" for file in sources))


CMAKE = """\
cmake_minimum_required(VERSION 3.16)
project({name} C CXX)

set(TFLM_PATH "" CACHE PATH "Source tree of TensorFlow Lite Micro")
set(TFLM_LIBRARY "" CACHE FILEPATH "Its library, libtensorflow-microlite.a")
if(NOT EXISTS "${{TFLM_PATH}}/tensorflow/lite/micro" OR NOT EXISTS "${{TFLM_LIBRARY}}")
  message(FATAL_ERROR "TFLM_PATH must hold tensorflow/lite/micro, and TFLM_LIBRARY must be a file. "
    "Received: TFLM_PATH=${{TFLM_PATH}}, TFLM_LIBRARY=${{TFLM_LIBRARY}}")
endif()
set(downloads "${{TFLM_PATH}}/tensorflow/lite/micro/tools/make/downloads")

add_executable({name}_application
{sources}
)
set_target_properties({name}_application PROPERTIES C_STANDARD 99 CXX_STANDARD 17)
target_include_directories({name}_application PRIVATE "${{CMAKE_CURRENT_SOURCE_DIR}}")
target_include_directories({name}_application SYSTEM PRIVATE "${{TFLM_PATH}}"
  "${{downloads}}/flatbuffers/include" "${{downloads}}/gemmlowp" "${{downloads}}/ruy")
# As the library is built: some of its structures depend on it.
target_compile_definitions({name}_application PRIVATE TF_LITE_STATIC_MEMORY)
target_link_libraries({name}_application PRIVATE "${{TFLM_LIBRARY}}" m)
"""
