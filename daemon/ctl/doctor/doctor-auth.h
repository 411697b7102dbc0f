/*
 * What the files of the check of join authentication share.
 */
#pragma once

#include "doctor.h"
#include "policy/eval.h"

/* Where what needs a decision is explained. */
#define MANUAL_AUTH "man 7 mptcpize-auth"

/* doctor-gate.c: the gate, the port, and what mptcpized says is wrong. */
void gate_check(struct doctor *doctor);

/* Files of shared keys that policies name. */
void keys_check(struct doctor *doctor, const struct policy_read *read);
