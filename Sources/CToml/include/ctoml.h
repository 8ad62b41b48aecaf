#ifndef CTOML_H
#define CTOML_H
#ifdef __cplusplus
extern "C" {
#endif
int ctoml_stub(void);
#ifdef __cplusplus
}
#endif
#endif
