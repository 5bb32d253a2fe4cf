#include "application.h"
#include "freertos/FreeRTOS.h"
#include "freertos/task.h"

void app_main(void)
{
    application_setup();
    for (;;) {
        application_loop();
        vTaskDelay(1); /* the watchdog asks for it */
    }
}
