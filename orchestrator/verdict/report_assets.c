/* report_assets.c - the report's style and script as part of the program, so that it needs no files beside
 * it. */
#include "orchestrator/verdict/report.h"

#define EMBED(symbol, file)                                                                                  \
	__asm__(".pushsection .rodata\n"                                                                     \
	        ".global " #symbol "\n" #symbol ":\n"                                                        \
	        ".incbin \"" file "\"\n"                                                                     \
	        ".byte 0\n"                                                                                  \
	        ".popsection\n")

EMBED(report_css, "orchestrator/verdict/report/report.css");
EMBED(report_js, "orchestrator/verdict/report/report.js");
