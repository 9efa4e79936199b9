/* The glue header of the stub model, as the code generator writes it for a real one. */
#include "stub_model.h"
#define MODEL_NAME "stub"
#define MODEL_ID 0x53545542U
#define MODEL_HAS_FRONT_END 1
#define MODEL_IN_SIZE STUB_IN_SIZE
#define MODEL_OUT_SIZE STUB_OUT_SIZE
typedef stub_state_t model_state_t;
#define model_infer stub_infer
typedef stub_result_t model_result_t;
#define model_reset stub_reset
#define model_push stub_push
