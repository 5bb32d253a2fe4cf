#include "application.h"

int main(void)
{
    setup();
    for (;;) {
        loop();
    }
}
