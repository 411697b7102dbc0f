#include "doctor.h"
#include "../text.h"
#include "../../util/cleanup.h"
#include "../../util/limits.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define TEXT 8192 /* paths, too, with quotes and escapes */

const char *severity_name(enum severity severity) {
        static const char *const names[_SEVERITY_MAX] = {
                [SEVERITY_OK] = "ok",
                [SEVERITY_NOTE] = "note",
                [SEVERITY_WARNING] = "warning",
                [SEVERITY_BROKEN] = "broken",
        };

        return names[severity];
}

void doctor_add(struct doctor *doctor, const struct finding *finding) {
        json_t *row;

        if (finding->severity > doctor->worst)
                doctor->worst = finding->severity;
        /* what doesn't fit still counts in the verdict */
        if (doctor->n++ >= LIMIT_DOCTOR_FINDINGS)
                return;
        row = json_pack("{s:s,s:s,s:s,s:s,s:s?,s:s?}", "check", doctor->check, "severity",
                        severity_name(finding->severity), "subject", finding->subject, "what",
                        finding->what, "why", finding->why, "remedy", finding->remedy);
        if (row)
                json_array_append_new(doctor->findings, row);
}

void doctor_add_unseen(struct doctor *doctor, const char *subject, const char *what,
                       const char *remedy) {
        doctor->unseen = true;
        doctor_add(doctor, &(struct finding){
                                           .severity = SEVERITY_NOTE,
                                           .subject = subject,
                                           .what = what,
                                           .why = "what was not looked at is not known to be right",
                                           .remedy = remedy,
                           });
}

const char *doctor_text(struct doctor *doctor, const char *format, ...) {
        char raw[TEXT], text[TEXT];
        json_t *string;
        va_list ap;

        va_start(ap, format);
        vsnprintf(raw, sizeof(raw), format, ap);
        va_end(ap);
        string = json_string(text_escape(raw, text, sizeof(text)));
        if (!string || json_array_append_new(doctor->texts, string) < 0)
                return "(out of memory)";
        return json_string_value(string);
}

const char *doctor_quote(struct doctor *doctor, const char *name) {
        char word[TEXT];

        return doctor_text(doctor, "%s", text_quote(name, word, sizeof(word)));
}

const char *doctor_word(struct doctor *doctor, const char *name) {
        char word[TEXT];

        return doctor_text(doctor, "%s", text_word(name, word, sizeof(word)));
}

json_int_t doctor_number(const struct doctor *doctor, const char *property) {
        return json_integer_value(json_object_get(doctor->manager, property));
}

const char *doctor_string(const struct doctor *doctor, const char *property) {
        const char *text = json_string_value(json_object_get(doctor->manager, property));

        return text ? text : "";
}
