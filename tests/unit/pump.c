#include "pump.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct {
        char log[4096], last[4096];
        uint16_t port;
        bool mute;
} pump_state;

static const char *pump_name(const struct mptcpize_address *address, char text[ADDRESS_TEXT]) {
        address_format(address, text);
        if (address->port)
                return text;
        if (strcmp(text, "192.0.2.1") == 0)
                return "wifi";
        return strcmp(text, "198.51.100.1") == 0 ? "lte" : text;
}

static void pump_say(const struct action *action, const char *verb, const char *suffix) {
        const bool ours = action->type == ACTION_ANNOUNCE || action->type == ACTION_WITHDRAW;
        struct mptcpize_address local = ours ? action->local : address_without_port(&action->local);
        char text[ADDRESS_TEXT], remote[ADDRESS_TEXT];
        size_t len = strlen(pump_state.log);

        address_format(&action->remote, remote);
        snprintf(pump_state.log + len, sizeof(pump_state.log) - len, "%s %s%s%s%s ", verb,
                 pump_name(&local, text), suffix,
                 ours || strcmp(remote, "203.0.113.1:80") == 0 ? "" : ">",
                 ours || strcmp(remote, "203.0.113.1:80") == 0 ? "" : remote);
}

static void pump_establish(struct world *world, const struct action *action) {
        struct event event = {
                .type = EVENT_SUB_ESTABLISHED,
                .mptcp = { .token = action->token,
                           .local = action->local,
                           .remote = action->remote,
                           .local_id = action->local_id },
        };

        event.mptcp.local.port = pump_state.port++;
        world_feed(world, event);
}

static void pump_one(struct world *world, const struct action *action) {
        switch (action->type) {
        case ACTION_CREATE:
                pump_say(action, "create", action->backup ? "+" : "");
                break;
        case ACTION_DESTROY:
                pump_say(action, "close", "");
                break;
        case ACTION_ABORT:
                pump_say(action, "abort", "");
                break;
        case ACTION_BACKUP:
                pump_say(action, "bit", action->backup ? "+" : "-");
                break;
        case ACTION_ANNOUNCE:
                pump_say(action, "announce", "");
                break;
        case ACTION_WITHDRAW:
                pump_say(action, "withdraw", "");
                break;
        case ACTION_QUERY:
        case ACTION_RELEASE:
        case ACTION_SNAPSHOT:
        case ACTION_MEASURE:
        case _ACTION_MAX:
        default:
                break;
        }
        world_outcome(world, action, 0);
        if (action->type == ACTION_CREATE && !pump_state.mute)
                pump_establish(world, action);
}

void pump(struct world *world) {
        const struct action *next;

        world_settle(world);
        while ((next = action_queue_peek(&world->engine.queue))) {
                struct action action = *next;

                action_queue_pop(&world->engine.queue);
                pump_one(world, &action);
        }
}

const char *pump_log(void) {
        memcpy(pump_state.last, pump_state.log, sizeof(pump_state.last));
        pump_state.log[0] = '\0';
        return pump_state.last;
}

void pump_mute(bool mute) {
        pump_state.mute = mute;
}

void pump_pass(struct world *world, uint64_t usec) {
        const uint64_t end = world->now + usec;

        while (engine_deadline(&world->engine) <= end) {
                if (engine_deadline(&world->engine) > world->now)
                        world->now = engine_deadline(&world->engine);
                world_feed(world, (struct event){ .type = EVENT_TICK });
                pump(world);
        }
        world->now = end;
}

void pump_link(struct world *world, int32_t ifindex, bool up) {
        const char *address = ifindex == 2 ? "192.0.2.1" : "198.51.100.1";

        world_link(world, ifindex, ifindex == 2 ? "wifi0" : "lte0", up);
        if (up) {
                world_address(world, ifindex, address, true);
                world_route(world, ifindex, "0.0.0.0", 0);
        }
        pump(world);
}

void pump_connect(struct world *world, uint32_t flags) {
        pump_state.log[0] = '\0';
        pump_state.port = 50000;
        pump_state.mute = false;
        world_connect(world, TOKEN, flags);
        pump(world);
}

void pump_option(struct world *world, const char *key, const char *value) {
        struct conf_option option = { .key = "" };

        snprintf(option.plugin, sizeof(option.plugin), "%s", mptcpize_plugin()->name);
        snprintf(option.key, sizeof(option.key), "%s", key);
        snprintf(option.value, sizeof(option.value), "%s", value);
        assert_int_equal(ARRAY_APPEND(&world->conf.options, option, LIMIT_PLUGIN_OPTIONS), 0);
        world_configure(world);
}

void pump_role(struct world *world, const char *pattern, enum mptcpize_role role) {
        struct conf_role entry = { .role = role };

        snprintf(entry.pattern, sizeof(entry.pattern), "%s", pattern);
        assert_int_equal(ARRAY_APPEND(&world->conf.roles, entry, LIMIT_ROLE_PATTERNS), 0);
        world_configure(world);
}
