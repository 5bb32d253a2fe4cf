"""Estimated cycles against loops that were worked out by hand from Arm's tables."""

import count_instructions
import emulator
import estimate_cycles
import pytest
from needs import BOARD_TOOLS, needs, needs_tflm
from tiny_models import encoder, sounds

import tfhrf

pytestmark = needs("gcc", *BOARD_TOOLS)

LOOP = """
#include "board.h"
#include <stdint.h>
void loop(const uint32_t *numbers, uint32_t times);
__asm__(".syntax unified\\n"
        ".type loop, %function\\n"
        "loop: push {r4-r7, lr}\\n" /* 1 + 5 registers */
        "1:\\n"
        BODY
        "subs r1, #1\\n" /* 1 */
        "bne 1b\\n" /* 1, and a refill but for the last time */
        "pop {r4-r7, pc}\\n" /* 1 + 5, and a refill */
        ".ltorg");
uint32_t numbers[128];
int main(void)
{
    board_start_ticks();
    (void)board_ticks();
    loop(numbers, 100U);
    (void)board_ticks();
    board_print("done\\n");
    return 0;
}
"""
# The body of the loop; its instructions, and cycles on a Cortex-M4 and M3.
BODIES = {
    "nothing": ([], 0, 0),
    "a load alone": (["ldr r4, [r0]", "adds r5, r4"], 2 + 1, 2 + 1),
    "loads in a row": (["ldr r4, [r0]", "ldrsb.w r5, [r0, #1]", "ldrh r6, [r0, #2]"], 4, 4),
    "a load from where one points": (["ldr r4, =numbers", "ldr r5, [r4]"], 4, 4),
    "stores": (["str r4, [r0]", "strh r5, [r0, #4]"], 2, 2),
    "several at once": (["ldrd r4, r5, [r0]", "ldmia.w r0, {r4-r7}"], 3 + 5, 3 + 5),
    "products": (["mul r4, r5, r6", "mla r4, r5, r6, r7", "smull r4, r5, r6, r7"], 3, 1 + 2 + 4),
    "a branch that is not taken": (["cmp r1, #0", "beq 1b"], 2, 2),
}


@pytest.mark.parametrize("cpu", ["cortex-m4", "cortex-m3"])
@pytest.mark.parametrize("kind", BODIES)
def test_loops_worked_out_by_hand(kind, cpu, tmp_path):
    body, *cycles = BODIES[kind]
    text = "".join(f'"{line}\\n"' for line in body)
    source, program = tmp_path / "loop.c", tmp_path / "loop.elf"
    source.write_text(LOOP.replace("BODY", text))
    emulator.link(cpu, [source], program, tmp_path)
    instructions, estimated = estimate_cycles.estimate(program, cpu)["loop"]
    assert instructions == 100 * (len(body) + 2) + 2
    of_body = cycles[cpu == "cortex-m3"]
    refills = 99 + 1
    assert estimated == 100 * (of_body + 2) + 6 + 6 + estimate_cycles.REFILL * refills


@needs_tflm
def test_instructions_are_those_of_the_count(tmp_path):
    tfhrf.to_c(tfhrf.to_tflite(encoder(), sounds(20)), tmp_path)
    program = count_instructions.build(tmp_path, "cortex-m4")
    functions = estimate_cycles.estimate(program, "cortex-m4")
    ran, cycles = map(sum, zip(*functions.values(), strict=True))
    _, counted = count_instructions.run(program, "cortex-m4")
    assert ran == pytest.approx(counted, abs=200)
    assert ran < cycles < 2 * ran
