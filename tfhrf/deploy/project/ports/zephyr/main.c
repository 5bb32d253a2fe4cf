#include "application.h"

int main(void)
{
    application_setup();
    for (;;) {
        application_loop();
    }
}
