/* SPDX-License-Identifier: MIT */
/* A folder that is held, so that what is opened below it is of it; nobody needs to be allowed to list it for that. */
#ifndef MXG_FOLDER_HANDLE_H
#define MXG_FOLDER_HANDLE_H

#include <fcntl.h>

#if defined(O_PATH) && !defined(MXG_PORTABLE)
#define MXG_HANDLE O_PATH
#elif defined(O_SEARCH)
#define MXG_HANDLE O_SEARCH
#else
#define MXG_HANDLE O_RDONLY
#endif
#define MXG_FOLDER_HANDLE (MXG_HANDLE | O_DIRECTORY | O_CLOEXEC)

#endif
