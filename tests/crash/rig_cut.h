/* rig_cut.h - a snapshot over a rig's region: begun, walked step by step, and compared with what the region held at the cut.
 *
 * The bystander's keys are left out of both images: it writes whenever it likes. Runs on the engine of the process that
 * calls; fails the program (rig_fail) on anything wrong.
 */
#ifndef KVSTASH_TESTS_RIG_CUT_H
#define KVSTASH_TESTS_RIG_CUT_H

#include "tests/crash/image.h"
#include "tests/crash/rig.h"

struct rig_cut {
    struct rig *k;
    struct shm_cut cut;
    struct type_walk walk;
    struct image at_cut, image;
};

/* Makes the cut. No other process changes anything but bystander's keys. */
void rig_cut_begin(struct rig_cut *s, struct rig *k);
/* One step; false: the walk is done. */
bool rig_cut_step(struct rig_cut *s, size_t budget);
/* Walks to the end and compares. */
void rig_cut_finish(struct rig_cut *s, const char *what);
/* Gives the snapshot up and frees what is left of it, `blocks` a step. */
void rig_cut_drop(struct rig_cut *s, unsigned blocks, const char *what);

#endif
