-- SPDX-License-Identifier: MIT
-- For compare_origin.py: what rspamd's own module external_relay, strategy hostname_map, makes of each case. The module
-- is loaded as it is; only its maps come from here. Run by `rspamadm lua -b`.
local ucl = require "ucl"
local rspamd_task = require "rspamd_task"
local rspamd_ip = require "rspamd_ip"

local real_config, names, callback = rspamd_config, {}, nil
package.loaded["lua_maps"] = {
  map_schema = require("tableshape").types.any,
  map_add_from_ucl = function()
    return { get_key = function(_, key) return key and names[key:lower()] end }
  end,
}
rspamd_config = {
  get_all_opt = function() return { rules = { R = { strategy = "hostname_map", hostname_map = {} } } } end,
  register_symbol = function(_, symbol) callback = symbol.callback end,
}
dofile("/usr/share/rspamd/plugins/external_relay.lua")

for line in io.lines(os.getenv("CASES")) do
  local parser = ucl.parser()
  parser:parse_string(line)
  local case = parser:get_object()
  names = {}
  for _, name in ipairs(case.names) do
    names[name] = true
  end
  local ok, task = rspamd_task.load_from_string(case.below .. "\n\n", real_config)
  local answer = "none"
  if ok and task:process_message() then
    task:set_from_ip(rspamd_ip.from_string(case.peer))
    task:set_hostname(case.peer_name)
    callback(task)
    local found = tostring(task:get_from_ip())
    answer = found == case.peer and "none" or found
  end
  print("=" .. answer)
end
