/* Stands in for FreeRTOS's header. */
void vTaskDelay(unsigned int ticks);
