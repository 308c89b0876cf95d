// SPDX-License-Identifier: MIT
// A program in C++ that knows the installed header and the shared library, and nothing else.
#include <cstring>
#include <iostream>
#include <memory>

#include <mxguard.h>

namespace {
struct End {
	void operator()(mxguard_session *session) const { mxguard_session_free(session); }
};

int decide(mxguard_session *session, const char *peer, const char *recipient)
{
	mxguard_check *check = nullptr;
	if (mxguard_session_check(session, &check, 0) != MXGUARD_ERROR_NONE)
		return 75;
	mxguard_check_set_peer_text(check, peer);
	mxguard_check_add_recipient(check, recipient, nullptr);
	if (mxguard_session_decide(session, check, nullptr, nullptr, -1) != MXGUARD_PROGRESS_DONE)
		return 75;
	std::cout << mxguard_verdict_name(mxguard_check_verdict(check, 0)) << '\n';
	switch (mxguard_check_action(check, 0)) {
	case MXGUARD_ACTION_ACCEPT:
	case MXGUARD_ACTION_TAG:
		return 0;
	case MXGUARD_ACTION_QUARANTINE:
	case MXGUARD_ACTION_REJECT:
		return 1;
	default:
		return 75;
	}
}
} // namespace

int main(int argc, char **argv)
{
	if (argc != 4)
		return 64;
	char message[512] = "";
	mxguard_session *opened = nullptr;
	if (mxguard_session_open(&opened, argv[1], 0, message, sizeof(message)) < 0) {
		std::cerr << message << '\n';
		return 75;
	}
	std::unique_ptr<mxguard_session, End> session(opened);
	return decide(session.get(), argv[2], argv[3]);
}
