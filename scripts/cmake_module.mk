# What find_package(HvciFix CONFIG) finds: files of cmake-module/, installed beside the program so that they find it
# wherever both are moved to.

CMAKE_MODULE_DIR = $(DESTDIR)$(PREFIX)/share/cmake/HvciFix

.PHONY: install-cmake-module
install: install-cmake-module
install-cmake-module:
	install -D -m 644 cmake-module/HvciFix.cmake "$(CMAKE_MODULE_DIR)/HvciFix.cmake"
	install -D -m 644 cmake-module/HvciFixConfig.cmake "$(CMAKE_MODULE_DIR)/HvciFixConfig.cmake"
	sed 's/@VERSION@/$(VERSION)/' cmake-module/HvciFixConfigVersion.cmake.in >"$(CMAKE_MODULE_DIR)/HvciFixConfigVersion.cmake"
	chmod 644 "$(CMAKE_MODULE_DIR)/HvciFixConfigVersion.cmake"
