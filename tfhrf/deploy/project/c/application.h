/* From sound to emotion: front end, window of frames, model, mean posterior of the windows.
 *
 * The sound comes from audio_provider.h, the answer goes to responder.h. */
#ifndef APPLICATION_H_
#define APPLICATION_H_

#ifdef __cplusplus
extern "C" {
#endif

/* Call the first once and then the second for ever, as Arduino does with setup and loop. */
void application_setup(void);
void application_loop(void);

#ifdef __cplusplus
}
#endif

#endif
