# How the manual pages and the completion scripts are made: the program prints them from the tables that it parses and
# explains with. They lie below $(BUILD)/share as they will below PREFIX/share.

MANUALS := $(addprefix $(BUILD)/share/,man/man1/hvcifix.1 man/man5/hvcifix-policy.5 \
	bash-completion/completions/hvcifix hvcifix/hvcifix.ps1)

$(BUILD)/share/man/man1/hvcifix.1: TOPIC := manual
$(BUILD)/share/man/man5/hvcifix-policy.5: TOPIC := policy-manual
$(BUILD)/share/bash-completion/completions/hvcifix: TOPIC := bash
$(BUILD)/share/hvcifix/hvcifix.ps1: TOPIC := powershell

$(MANUALS): $(BUILD)/hvcifix
	@mkdir -p $(@D)
	@$< help $(TOPIC) >$@.new && mv $@.new $@

INSTALL_MANUALS = for file in $(MANUALS:$(BUILD)/%=%); do \
	install -D -m 644 $(BUILD)/$$file "$(DESTDIR)$(PREFIX)/$$file" || exit 1; done
