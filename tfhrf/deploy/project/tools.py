"""Folders that drop into other tools: where each file goes, and the tools' own files."""

import pathlib
import re

PORTS = pathlib.Path(__file__).parent / "ports"
TOOLS = ("arduino", "cmake", "esp-idf", "zephyr")
# Of sketches: Arduino refuses others.
ARDUINO_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}(?<!\.)")


def check_tool(tool, folder):
    """Raises ValueError for an unknown tool, or a folder whose name it refuses."""
    if tool is not None and tool not in TOOLS:
        raise ValueError(f"`tool` must be one of {list(TOOLS)} or None. Received: {tool!r}")
    sketch = pathlib.Path(folder).resolve().name
    if tool == "arduino" and not ARDUINO_NAME.fullmatch(sketch):
        raise ValueError(
            "The folder of a sketch must have a name of letters, digits, underscores, dots and "
            f"dashes, at most 63. Received: {sketch!r}"
        )


def arrange(tool, runtime, folder, name, sources):
    """The files of a project.

    Args:
        tool: one of TOOLS, or None for the sources as they are.
        runtime: "c" or "tflm".
        folder: of the project; an Arduino sketch has its name.
        name: of the project.
        sources: name to text of all files but the two of a port.

    Returns:
        dict: path in the folder to text.
    """
    if tool is None:
        return sources
    port = {path.name: path.read_text() for path in sorted((PORTS / tool).iterdir())}
    tflm = runtime == "tflm"
    return ARRANGED[tool](port, sources, tflm, name, pathlib.Path(folder).resolve().name)


def arduino(port, sources, tflm, name, sketch):
    text = port.pop("sketch.ino")
    port[f"{sketch}.ino"] = text if tflm else text.replace(ARDUINO_LIBRARY, "")
    return {**port, **{f"src/{arduino_file(file)}": text for file, text in sources.items()}}


def arduino_file(file):
    """Arduino compiles .cpp, not .cc."""
    return f"{file[:-3]}.cpp" if file.endswith(".cc") else file


def compiled(files):
    return sorted(file for file in files if file.endswith((".c", ".cc")))


def esp_idf(port, sources, tflm, name, sketch):
    settings = {"sdkconfig.defaults": port.pop("sdkconfig.defaults")}
    component = {**port, **sources}
    component["CMakeLists.txt"] = ESP_COMPONENT.format(
        sources="\n".join(f'         "{file}"' for file in compiled(component))
    )
    component["idf_component.yml"] = ESP_DEPENDENCIES + (ESP_TFLM if tflm else "")
    return {
        "CMakeLists.txt": ESP_PROJECT.format(name=name),
        **settings,
        **{f"main/{file}": text for file, text in component.items()},
    }


def cmake(port, sources, tflm, name, sketch):
    files = {**port, **sources}
    template = CMAKE_TFLM if tflm else CMAKE
    lists = template.format(name=name, sources="\n".join(f"  {file}" for file in compiled(files)))
    return {"CMakeLists.txt": lists, **files}


def zephyr(port, sources, tflm, name, sketch):
    files = {**port, **sources}
    lists = ZEPHYR.format(name=name, sources="\n".join(f"  src/{file}" for file in compiled(files)))
    return {
        "CMakeLists.txt": lists,
        "prj.conf": (ZEPHYR_TFLM if tflm else "") + ZEPHYR_SETTINGS,
        **{f"src/{file}": text for file, text in files.items()},
    }


ARRANGED = {"arduino": arduino, "cmake": cmake, "esp-idf": esp_idf, "zephyr": zephyr}
ARDUINO_LIBRARY = "#include <TensorFlowLite.h>\n\n"
ESP_PROJECT = """\
cmake_minimum_required(VERSION 3.16)
include($ENV{{IDF_PATH}}/tools/cmake/project.cmake)
project({name})
"""
ESP_DEPENDENCIES = """\
dependencies:
  idf: ">=5.0"
"""
ESP_TFLM = '  espressif/esp-tflite-micro: "^1.3.5"\n'
ESP_COMPONENT = """\
idf_component_register(
    SRCS
{sources}
    INCLUDE_DIRS ".")
"""
CMAKE = """\
cmake_minimum_required(VERSION 3.16)
project({name} C)

add_executable({name}_application
{sources}
)
set_target_properties({name}_application PROPERTIES C_STANDARD 99)
target_include_directories({name}_application PRIVATE "${{CMAKE_CURRENT_SOURCE_DIR}}")
"""
CMAKE_TFLM = """\
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
ZEPHYR = """\
cmake_minimum_required(VERSION 3.20)
find_package(Zephyr REQUIRED HINTS $ENV{{ZEPHYR_BASE}})
project({name})

target_sources(app PRIVATE
{sources}
)
target_include_directories(app PRIVATE src)
"""
ZEPHYR_TFLM = """\
CONFIG_CPP=y
CONFIG_REQUIRES_FULL_LIBCPP=y
CONFIG_TENSORFLOW_LITE_MICRO=y
"""
ZEPHYR_SETTINGS = """\
CONFIG_MAIN_STACK_SIZE=4096
CONFIG_AUDIO=y
CONFIG_AUDIO_DMIC=y
"""
