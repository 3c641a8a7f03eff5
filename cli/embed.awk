# SPDX-License-Identifier: MIT
# Makes a C header of a text file: a list of its lines, for one long string
# is more than C11 promises to take.  awk -v name=NAME -f embed.awk FILE
BEGIN {
  print "/* Made by embed.awk. */"
  print "static const char *const " name "[] = {"
}
{
  gsub (/\\/, "&&")
  gsub (/"/, "\\\\\"")
  gsub (/\?/, "\\\\?")
  gsub (/\t/, "\\\\t")
  print "  \"" $0 "\\n\","
}
END {
  print "  NULL"
  print "};"
}
