/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps one episode of those that a stage plays, for --record: the first, the best, the worst or that of a number. */
#ifndef CLI_RECORDER_H
#define CLI_RECORDER_H

#include "play_env.h"
#include "replay.h"

typedef struct recorder {
    const char *path;    /* NULL: nothing is recorded, and every call does nothing */
    int pick;            /* 1: best, -1: worst, 0: `number` */
    uint64_t number;     /* from 0 */
    replay live[TEAMS_MAX], kept;
    bool has_kept;
    int status;          /* of the first call that failed; the others then do nothing */
} recorder;

/* Reads --record and --pick; an exit status. recorder_close is due in any case. */
int recorder_open(recorder *recorder, const options *options, uint64_t episodes);

/* A team begins an episode, after stage_begin with the same numbers. */
void recorder_begin(recorder *recorder, const stage *stage, uint32_t team, uint64_t seed, uint64_t episode);

/* A team has done a step, after stage_step. */
void recorder_step(recorder *recorder, const stage *stage, uint32_t team, const marl_step *step);

/* Writes the kept episode; policy: as the caller named it. An exit status. */
int recorder_write(recorder *recorder, const stage *stage, const char *policy, double epsilon, uint64_t seed);

void recorder_close(recorder *recorder);

#endif
