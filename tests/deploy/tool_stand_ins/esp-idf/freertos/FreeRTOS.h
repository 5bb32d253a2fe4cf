/* Stands in for FreeRTOS's header. */
