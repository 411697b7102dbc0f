/*
 * Printing what a command learned: the JSON tree itself, or a text made of it.
 */
#pragma once

#include <jansson.h>
#include "ctl.h"
#include "table.h"

typedef void (*render_fn)(const struct output *output, const json_t *value);

/* Prints value on standard output as ctl asks for; text makes the form for people. */
void render(const struct ctl *ctl, const json_t *value, render_fn text);

/* The same, with the JSON in one line. */
void render_line(const struct ctl *ctl, const json_t *value, render_fn text);

/* render-json.c: ASCII only, so that no terminal is harmed by a name; ends with a newline. */
void render_json(const struct output *output, const json_t *value);

/* render-text.c */
void render_status(const struct output *output, const json_t *status);
void render_connections(const struct output *output, const json_t *connections);
void render_connection(const struct output *output, const json_t *connection);
void render_interfaces(const struct output *output, const json_t *interfaces);
void render_interface(const struct output *output, const json_t *interface);
void render_plugins(const struct output *output, const json_t *plugins);
void render_limits(const struct output *output, const json_t *limits);
void render_nothing(const struct output *output, const json_t *value);

/* render-service.c */
void render_service(const struct output *output, const json_t *service);

/* render-policy.c */
void render_policies(const struct output *output, const json_t *policies);
void render_policy(const struct output *output, const json_t *policy);
void render_check(const struct output *output, const json_t *check);
void render_explanation(const struct output *output, const json_t *explanation);

/* render-doctor.c */
void render_doctor(const struct output *output, const json_t *report);
