# HvciFix.cmake - hvcifix behind the linker in CMake projects: every driver is fixed or rejected when it is linked.
#
# Use it installed (find_package(HvciFix CONFIG REQUIRED)), or copy this one file into a project and include() it.
# docs/CMAKE.md has examples. CMake 3.20 or newer.
#
#   hvcifix_enforce(<target>... [POLICY <file>] [MODE audit|fix|reject] [OLDEST_WINDOWS <release>]
#                   [REPORT <file>...] [ON_FAIL rename|delete|keep] [BASELINE <file>] [OPTIONS <option>...])
#
#     Judges the image of each target after every link, repairs it where the policy allows that, and fails the build
#     otherwise. Call it where the target was created, and before add_custom_command(... POST_BUILD ...) that signs or
#     copies the image: commands run in the order in which they are added.
#     POLICY   a policy file, relative to the current source folder, or preset:NAME. A changed policy, or one that it
#              includes, links the target again.
#     MODE     what the policy's own mode is overruled with; without POLICY the mode is fix.
#     OLDEST_WINDOWS   the oldest Windows that must load the image: 7, 1607, 11, server-2019, ...
#     REPORT   files that each build writes, by their ending .txt, .json, .sarif or .html; relative to the current binary
#              folder, and there to the configuration's own folder where there are several. {target} is the target's name.
#     ON_FAIL  what becomes of a rejected image: renamed to IMAGE.rejected (default), deleted, or kept.
#     BASELINE an earlier SARIF report; only findings that it does not have fail.
#     OPTIONS  further options of `hvcifix enforce`.
#
#   hvcifix_check(<file>... [POLICY <file>] [OLDEST_WINDOWS <release>] [BASELINE <file>] [OPTIONS <option>...])
#
#     Adds a test for each image that is made elsewhere: hvcifix_check.<name of the file>.
#
# Variables, for the whole project: HVCIFIX_POLICY, HVCIFIX_MODE, HVCIFIX_OLDEST_WINDOWS and HVCIFIX_ON_FAIL initialise
# target properties of the same names, which hold where the call says nothing. Targets without such a property (created
# before the variable was set, or with CMake before 3.23) take the variable when hvcifix_enforce() is called. HVCIFIX_EXECUTABLE is the program, HVCIFIX_MSBUILD_DIR the folder of HvciFix.props.

include_guard(GLOBAL)
if(CMAKE_VERSION VERSION_LESS 3.20)
  message(FATAL_ERROR "HvciFix needs CMake 3.20 or newer; this is ${CMAKE_VERSION}.")
endif()
cmake_policy(PUSH)
cmake_policy(VERSION 3.20...4.0)

set(_HVCIFIX_MODULE_DIR "${CMAKE_CURRENT_LIST_DIR}" CACHE INTERNAL "Folder of HvciFix.cmake")
set(_HVCIFIX_WORDS POLICY MODE OLDEST_WINDOWS ON_FAIL)

# A release of Windows or a mode can be given to all targets that are created from here on.
if(NOT CMAKE_VERSION VERSION_LESS 3.23)
  foreach(_hvcifix_word IN LISTS _HVCIFIX_WORDS)
    define_property(TARGET PROPERTY "HVCIFIX_${_hvcifix_word}" INITIALIZE_FROM_VARIABLE "HVCIFIX_${_hvcifix_word}"
      BRIEF_DOCS "What hvcifix_enforce() uses where its call does not say ${_hvcifix_word}."
      FULL_DOCS "What hvcifix_enforce() uses where its call does not say ${_hvcifix_word}.")
  endforeach()
endif()

# The program runs on the machine that builds, whatever it builds for.
if(NOT HVCIFIX_EXECUTABLE)
  find_program(HVCIFIX_EXECUTABLE hvcifix NO_CMAKE_FIND_ROOT_PATH
    HINTS "${CMAKE_CURRENT_LIST_DIR}/../../../bin" DOC "The hvcifix program")
  mark_as_advanced(HVCIFIX_EXECUTABLE)
endif()
if(HVCIFIX_EXECUTABLE AND (NOT IS_ABSOLUTE "${HVCIFIX_EXECUTABLE}" OR NOT EXISTS "${HVCIFIX_EXECUTABLE}"
    OR IS_DIRECTORY "${HVCIFIX_EXECUTABLE}"))
  message(FATAL_ERROR "HvciFix: HVCIFIX_EXECUTABLE is \"${HVCIFIX_EXECUTABLE}\". Set it to the program itself, with its "
    "full path: cmake -DHVCIFIX_EXECUTABLE=/path/to/hvcifix ...")
endif()
if(NOT TARGET HvciFix::hvcifix AND HVCIFIX_EXECUTABLE)
  add_executable(HvciFix::hvcifix IMPORTED GLOBAL)
  set_target_properties(HvciFix::hvcifix PROPERTIES IMPORTED_LOCATION "${HVCIFIX_EXECUTABLE}")
endif()

function(_hvcifix_fail caller)
  list(JOIN ARGN "" text)
  message(FATAL_ERROR "${caller}: ${text}")
endfunction()

# What parsing left over, and a tool that is not there. Sets `arg_` variables of the caller right or ends.
macro(_hvcifix_check_arguments caller keywords)
  if(arg_KEYWORDS_MISSING_VALUES)
    list(JOIN arg_KEYWORDS_MISSING_VALUES ", " words)
    _hvcifix_fail(${caller} "a value is missing behind ${words}.")
  endif()
  if(NOT arg_UNPARSED_ARGUMENTS)
    _hvcifix_fail(${caller} "it needs at least one name in front of its keywords.")
  endif()
  if(NOT TARGET HvciFix::hvcifix)
    _hvcifix_fail(${caller} "the program hvcifix was not found. Put it on PATH, or set HVCIFIX_EXECUTABLE to it: "
      "cmake -DHVCIFIX_EXECUTABLE=/path/to/hvcifix ...")
  endif()
endmacro()

# A file that an argument names. Not found is an error now, not in the middle of a build.
function(_hvcifix_existing_file caller keyword base path out)
  if(path MATCHES "\\$<")
    _hvcifix_fail(${caller} "${keyword} takes no generator expression (${path}): the file is read when CMake runs.")
  endif()
  get_filename_component(full "${path}" ABSOLUTE BASE_DIR "${base}")
  get_property(is_generated SOURCE "${full}" PROPERTY GENERATED)
  if(IS_DIRECTORY "${full}" OR (NOT EXISTS "${full}" AND NOT is_generated))
    set(cure "Name a file that is there.")
    if(keyword STREQUAL "POLICY")
      set(cure "Write one with: hvcifix policy init --output ${full}")
    endif()
    _hvcifix_fail(${caller} "there is no file ${full} (${keyword} ${path}). ${cure}")
  endif()
  set(${out} "${full}" PARENT_SCOPE)
endfunction()

# The policy and what it includes.
function(_hvcifix_policy_files policy out)
  set(found)
  set(pending "${policy}")
  while(pending)
    list(POP_FRONT pending file)
    if(file IN_LIST found OR NOT EXISTS "${file}")
      continue()
    endif()
    list(APPEND found "${file}")
    file(STRINGS "${file}" lines REGEX "^[ \t]*[Ii][Nn][Cc][Ll][Uu][Dd][Ee][ \t]*[=:]")
    get_filename_component(folder "${file}" DIRECTORY)
    foreach(line IN LISTS lines)
      string(REGEX REPLACE "^[^=:]*[=:][ \t]*" "" line "${line}")
      string(REGEX REPLACE "[ \t]+;.*$" "" line "${line}")
      string(STRIP "${line}" line)
      get_filename_component(line "${line}" ABSOLUTE BASE_DIR "${folder}")
      list(APPEND pending "${line}")
    endforeach()
  endwhile()
  set(${out} "${found}" PARENT_SCOPE)
endfunction()

# The program itself says whether it takes these options.
function(_hvcifix_try_options caller verb)
  get_target_property(program HvciFix::hvcifix IMPORTED_LOCATION)
  execute_process(COMMAND "${program}" ${verb} ${ARGN} --help
    RESULT_VARIABLE result OUTPUT_QUIET ERROR_VARIABLE said)
  if(NOT result EQUAL 0)
    string(STRIP "${said}" said)
    _hvcifix_fail(${caller} "${program} does not take these options (${result}): ${said}")
  endif()
endfunction()

# POLICY as the tool takes it, and the files that it consists of.
function(_hvcifix_find_policy caller base policy out_options out_files)
  set(files)
  if(policy MATCHES "^preset:")
    set(options --policy "${policy}")
    get_target_property(program HvciFix::hvcifix IMPORTED_LOCATION)
    execute_process(COMMAND "${program}" rules --policy "${policy}"
      RESULT_VARIABLE result OUTPUT_QUIET ERROR_VARIABLE said)
    if(NOT result EQUAL 0)
      string(STRIP "${said}" said)
      _hvcifix_fail(${caller} "POLICY ${policy} is no preset of ${program} (${result}): ${said}")
    endif()
  elseif(NOT policy STREQUAL "")
    _hvcifix_existing_file(${caller} POLICY "${base}" "${policy}" policy)
    set(options --policy "${policy}")
    _hvcifix_policy_files("${policy}" files)
    # What it includes is looked up again when it changes.
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${files})
  else()
    set(options)
  endif()
  set(${out_options} "${options}" PARENT_SCOPE)
  set(${out_files} "${files}" PARENT_SCOPE)
endfunction()

# One word of the call, else of the target's property, else of the variable. Properties and variables hold for whole
# projects, so their files are relative to the top folder.
function(_hvcifix_word target word given out out_base)
  set(base "${CMAKE_CURRENT_SOURCE_DIR}")
  if(given STREQUAL "")
    set(base "${CMAKE_SOURCE_DIR}")
    get_property(is_set TARGET "${target}" PROPERTY "HVCIFIX_${word}" SET)
    if(is_set)
      get_property(given TARGET "${target}" PROPERTY "HVCIFIX_${word}")
    else()
      set(given "${HVCIFIX_${word}}") # set behind add_executable(), or CMake before 3.23
    endif()
  endif()
  set(${out} "${given}" PARENT_SCOPE)
  set(${out_base} "${base}" PARENT_SCOPE)
endfunction()

function(_hvcifix_one_of caller keyword value)
  if(NOT value STREQUAL "" AND NOT value IN_LIST ARGN)
    list(JOIN ARGN ", " words)
    _hvcifix_fail(${caller} "${keyword} is one of ${words}, not \"${value}\".")
  endif()
endfunction()

# The target that the name stands for; ends when its image cannot be enforced.
function(_hvcifix_find_target name out)
  if(NOT TARGET "${name}")
    _hvcifix_fail(hvcifix_enforce "there is no target \"${name}\". Targets come first, then the keywords POLICY, MODE, "
      "OLDEST_WINDOWS, REPORT, ON_FAIL, BASELINE and OPTIONS; call it behind add_executable() or add_library().")
  endif()
  get_target_property(aliased "${name}" ALIASED_TARGET)
  if(aliased)
    set(name "${aliased}")
  endif()
  get_target_property(type "${name}" TYPE)
  get_target_property(is_imported "${name}" IMPORTED)
  if(is_imported)
    _hvcifix_fail(hvcifix_enforce "the target \"${name}\" is imported, so nothing is linked here. "
      "Use hvcifix_check(<file>) for images that are built elsewhere.")
  elseif(NOT type MATCHES "^(EXECUTABLE|SHARED_LIBRARY|MODULE_LIBRARY)$")
    _hvcifix_fail(hvcifix_enforce "the target \"${name}\" is no image but ${type}. Name the executable, shared library or "
      "module that it is linked into.")
  endif()
  get_target_property(folder "${name}" BINARY_DIR)
  if(NOT folder STREQUAL CMAKE_CURRENT_BINARY_DIR)
    get_target_property(source_folder "${name}" SOURCE_DIR)
    _hvcifix_fail(hvcifix_enforce "the target \"${name}\" was created in another folder. Call hvcifix_enforce(${name}) in "
      "${source_folder}/CMakeLists.txt, or in the function that creates it.")
  endif()
  get_target_property(is_enforced "${name}" HVCIFIX_IS_ENFORCED)
  if(is_enforced)
    _hvcifix_fail(hvcifix_enforce "the target \"${name}\" is enforced already. Call it once for each target.")
  endif()
  set(${out} "${name}" PARENT_SCOPE)
endfunction()

# REPORT files of a target, in full.
function(_hvcifix_report_paths target target_count out)
  get_property(is_multi GLOBAL PROPERTY GENERATOR_IS_MULTI_CONFIG)
  set(paths)
  foreach(path IN LISTS ARGN)
    if(target_count GREATER 1 AND NOT path MATCHES "{target}")
      _hvcifix_fail(hvcifix_enforce "REPORT ${path} would be written by ${target_count} targets. Write {target} into its "
        "name: REPORT {target}.sarif")
    endif()
    string(REPLACE "{target}" "${target}" path "${path}")
    string(REPLACE "$<CONFIG>" "" plain "${path}")
    if(plain MATCHES "\\$<")
      _hvcifix_fail(hvcifix_enforce "REPORT ${path} may hold $<CONFIG>, and no other generator expression.")
    endif()
    if(NOT IS_ABSOLUTE "${path}")
      if(is_multi AND path STREQUAL plain)
        set(path "$<CONFIG>/${path}")
      endif()
      set(path "${CMAKE_CURRENT_BINARY_DIR}/${path}")
    elseif(is_multi AND path STREQUAL plain)
      _hvcifix_fail(hvcifix_enforce "REPORT ${path} would be written by every configuration. Write $<CONFIG> into it.")
    endif()
    list(APPEND paths "${path}")
  endforeach()
  set(${out} "${paths}" PARENT_SCOPE)
endfunction()

# Visual Studio with the driver kits' tools signs before any POST_BUILD command, so there the MSBuild files do the work.
function(_hvcifix_enforce_by_msbuild target policy mode oldest_windows on_fail options)
  set(folder "${HVCIFIX_MSBUILD_DIR}")
  if(folder STREQUAL "")
    set(folder "${_HVCIFIX_MODULE_DIR}/../../hvcifix/msbuild")
  endif()
  get_filename_component(folder "${folder}" ABSOLUTE)
  if(NOT EXISTS "${folder}/HvciFix.targets" OR NOT EXISTS "${folder}/HvciFix.props")
    _hvcifix_fail(hvcifix_enforce "with ${CMAKE_GENERATOR} the driver kit signs before any command that CMake can add, so "
      "HvciFix.props and HvciFix.targets are needed, and they are not in ${folder}. Set HVCIFIX_MSBUILD_DIR to the folder "
      "that has them (msbuild/ of hvcifix, or build/native/ of its NuGet package), or use the generator Ninja.")
  endif()
  set_property(TARGET ${target} APPEND PROPERTY VS_PROJECT_IMPORT "${folder}/HvciFix.props" "${folder}/HvciFix.targets")
  get_target_property(program HvciFix::hvcifix IMPORTED_LOCATION)
  cmake_path(NATIVE_PATH program program)
  if(IS_ABSOLUTE "${policy}")
    cmake_path(NATIVE_PATH policy policy)
  elseif(policy STREQUAL "")
    set(policy none) # not the nearest hvcifix.ini, which those files would look for
  endif()
  set_target_properties(${target} PROPERTIES VS_GLOBAL_HvciFixEnabled true VS_GLOBAL_HvciFixToolPath "${program}")
  foreach(pair IN ITEMS "Policy|${policy}" "Mode|${mode}" "Target|${oldest_windows}" "OnFail|${on_fail}")
    string(REGEX MATCH "^([A-Za-z]+)\\|(.*)$" pair "${pair}")
    if(NOT CMAKE_MATCH_2 STREQUAL "")
      set_target_properties(${target} PROPERTIES VS_GLOBAL_HvciFix${CMAKE_MATCH_1} "${CMAKE_MATCH_2}")
    endif()
  endforeach()
  set(reports)
  foreach(path IN LISTS ARGN)
    cmake_path(NATIVE_PATH path path)
    string(REPLACE "$<CONFIG>" "$(Configuration)" path "${path}")
    list(APPEND reports "${path}")
  endforeach()
  if(reports)
    set_property(TARGET ${target} PROPERTY VS_GLOBAL_HvciFixReport "${reports}")
  endif()
  set(further)
  foreach(option IN LISTS options)
    list(APPEND further "\"${option}\"")
  endforeach()
  if(further)
    list(JOIN further " " further)
    set_target_properties(${target} PROPERTIES VS_GLOBAL_HvciFixAdditionalOptions "${further}")
  endif()
endfunction()

function(_hvcifix_enforce_by_command target options dependencies)
  set(commands)
  set(reports)
  foreach(path IN LISTS ARGN)
    get_filename_component(folder "${path}" DIRECTORY)
    list(APPEND commands COMMAND "${CMAKE_COMMAND}" -E make_directory "${folder}")
    list(APPEND reports --report "${path}")
  endforeach()
  set(byproducts)
  if(ARGN)
    set(byproducts BYPRODUCTS ${ARGN}) # every build writes them, also when all is well
  endif()
  # What an earlier link made and was rejected is not there any more once this link is good.
  add_custom_command(TARGET ${target} POST_BUILD ${commands}
    COMMAND "${CMAKE_COMMAND}" -E rm -f "$<TARGET_FILE:${target}>.rejected"
    COMMAND "$<TARGET_FILE:HvciFix::hvcifix>" enforce ${options} ${reports} -- "$<TARGET_FILE:${target}>"
    ${byproducts}
    COMMENT "Enforcing memory integrity on ${target}" VERBATIM)
  # Linked again, not only judged again: a repair starts from what the linker wrote.
  get_target_property(program HvciFix::hvcifix IMPORTED_LOCATION)
  set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS ${dependencies} "${program}")
  set_property(TARGET ${target} APPEND PROPERTY ADDITIONAL_CLEAN_FILES "$<TARGET_FILE:${target}>.rejected")
endfunction()

function(hvcifix_enforce)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "POLICY;MODE;OLDEST_WINDOWS;ON_FAIL;BASELINE" "REPORT;OPTIONS")
  _hvcifix_check_arguments(hvcifix_enforce "")
  list(LENGTH arg_UNPARSED_ARGUMENTS target_count)
  foreach(name IN LISTS arg_UNPARSED_ARGUMENTS)
    _hvcifix_find_target("${name}" target)
    _hvcifix_word(${target} POLICY "${arg_POLICY}" policy policy_base)
    _hvcifix_word(${target} MODE "${arg_MODE}" mode unused)
    _hvcifix_word(${target} OLDEST_WINDOWS "${arg_OLDEST_WINDOWS}" oldest_windows unused)
    _hvcifix_word(${target} ON_FAIL "${arg_ON_FAIL}" on_fail unused)
    _hvcifix_one_of(hvcifix_enforce MODE "${mode}" audit fix reject)
    _hvcifix_one_of(hvcifix_enforce ON_FAIL "${on_fail}" rename delete keep)
    _hvcifix_find_policy(hvcifix_enforce "${policy_base}" "${policy}" options files)
    if(policy STREQUAL "" AND mode STREQUAL "")
      set(mode fix)
    endif()
    if(mode)
      list(APPEND options --mode ${mode})
    endif()
    if(oldest_windows)
      list(APPEND options --target "${oldest_windows}")
    endif()
    if(on_fail)
      list(APPEND options --on-fail ${on_fail})
    endif()
    set(further ${arg_OPTIONS})
    if(arg_BASELINE)
      _hvcifix_existing_file(hvcifix_enforce BASELINE "${CMAKE_CURRENT_SOURCE_DIR}" "${arg_BASELINE}" baseline)
      list(APPEND further --baseline "${baseline}")
      list(APPEND files "${baseline}")
    endif()
    _hvcifix_try_options(hvcifix_enforce enforce ${options} ${further})
    _hvcifix_report_paths(${target} ${target_count} reports ${arg_REPORT})
    if(CMAKE_GENERATOR MATCHES "^Visual Studio")
      if(files AND NOT policy MATCHES "^preset:")
        list(GET files 0 policy)
      endif()
      _hvcifix_enforce_by_msbuild(${target} "${policy}" "${mode}" "${oldest_windows}" "${on_fail}" "${further}" ${reports})
    else()
      _hvcifix_enforce_by_command(${target} "${options};${further}" "${files}" ${reports})
    endif()
    set_target_properties(${target} PROPERTIES HVCIFIX_IS_ENFORCED TRUE)
  endforeach()
endfunction()

function(hvcifix_check)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "POLICY;OLDEST_WINDOWS;BASELINE" "OPTIONS")
  _hvcifix_check_arguments(hvcifix_check "")
  if(NOT CMAKE_TESTING_ENABLED)
    _hvcifix_fail(hvcifix_check "it adds tests, and tests are off here. Call enable_testing() in the top CMakeLists.txt first.")
  endif()
  set(policy "${arg_POLICY}")
  set(base "${CMAKE_CURRENT_SOURCE_DIR}")
  if(policy STREQUAL "" AND HVCIFIX_POLICY)
    set(policy "${HVCIFIX_POLICY}")
    set(base "${CMAKE_SOURCE_DIR}")
  endif()
  _hvcifix_find_policy(hvcifix_check "${base}" "${policy}" options unused)
  if(arg_OLDEST_WINDOWS)
    list(APPEND options --target "${arg_OLDEST_WINDOWS}")
  endif()
  if(arg_BASELINE)
    _hvcifix_existing_file(hvcifix_check BASELINE "${CMAKE_CURRENT_SOURCE_DIR}" "${arg_BASELINE}" baseline)
    list(APPEND options --baseline "${baseline}")
  endif()
  list(APPEND options ${arg_OPTIONS})
  _hvcifix_try_options(hvcifix_check check ${options})
  foreach(file IN LISTS arg_UNPARSED_ARGUMENTS)
    get_filename_component(name "${file}" NAME)
    if(file MATCHES "\\$<")
      string(REGEX REPLACE "[^A-Za-z0-9_.-]+" "_" name "${file}")
    else()
      get_filename_component(file "${file}" ABSOLUTE BASE_DIR "${CMAKE_CURRENT_SOURCE_DIR}")
    endif()
    if(TEST "hvcifix_check.${name}")
      _hvcifix_fail(hvcifix_check "there is a test hvcifix_check.${name} already. Check each file once, and two of one name "
        "in different folders of CMake.")
    endif()
    add_test(NAME "hvcifix_check.${name}" COMMAND "$<TARGET_FILE:HvciFix::hvcifix>" check ${options} -- "${file}")
  endforeach()
endfunction()

cmake_policy(POP)
