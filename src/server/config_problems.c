#include "server/config_problems.h"

#include <stdarg.h>
#include <stdio.h>

/* A line stays a line, whatever a document put into it. */
static void keep_to_one_line(char *text)
{
	for (char *p = text; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = ' ';
}

static void __attribute__((format(printf, 4, 0)))
add(struct config_problems *problems, bool warning, const char *path, const char *format, va_list args)
{
	if (warning)
		problems->warnings++;
	else
		problems->errors++;
	if (problems->kept == CONFIG_PROBLEMS_MAX)
		return;
	struct config_problem *problem = &problems->list[problems->kept++];
	problem->warning = warning;
	int used = snprintf(problem->text, sizeof problem->text, "%s%s%s%s", problems->source ? problems->source : "",
		problems->source ? ": " : "", path, *path ? ": " : "");
	if (used >= 0 && (size_t)used < sizeof problem->text)
		vsnprintf(problem->text + used, sizeof problem->text - (size_t)used, format, args);
	keep_to_one_line(problem->text);
}

void config_error(struct config_problems *problems, const char *path, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	add(problems, false, path, format, args);
	va_end(args);
}

void config_warning(struct config_problems *problems, const char *path, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	add(problems, true, path, format, args);
	va_end(args);
}
