-- SPDX-License-Identifier: MIT
-- Reads mxguard's Authentication-Results in rspamd (3.4 and newer): append it to /etc/rspamd/rspamd.local.lua (or keep
-- it as /etc/rspamd/local.d/rspamd.lua), with rspamd.conf.local beside it for the settings.
--
-- The field is believed because mxguard removes every field under its own name (authserv_id) before it adds one: set
-- `tag = "always"` in mxguard.conf, and let mail come to rspamd only behind mxguard, as the milter behind its milter.
-- With `origin = { …; tag = true; }` the gateway's own client becomes the client that SPF, DMARC and lists look at.

local util = require "rspamd_util"
local rspamd_ip = require "rspamd_ip"
local settings = rspamd_config:get_all_opt("mxguard") or {}
local ours = (settings.authserv_id or util.get_hostname()):lower()

local symbols = {
  pass = "MXGUARD_PASS", fail = "MXGUARD_FAIL", temperror = "MXGUARD_TEMPERROR",
  permerror = "MXGUARD_PERMERROR", none = "MXGUARD_NONE",
}

-- Everything of the field is our own writing: quoted values hold no quotes and no semicolons.
local function read(value)
  local plain = value:gsub("[\r\n\t ]+", " ")
  local id, rest = plain:match("^ ?([^ ;]+) ?; ?(.*)$")
  if not id or id:lower() ~= ours then return nil end
  local result = rest:match("^x%-mxguard=(%a+)")
  if not symbols[result or ""] then return nil end
  return {
    result = result, reason = rest:match(' reason="([%w-]+)"'), gateway = rest:match(' policy%.gateway="([^"]*)"'),
    origin = rest:match(' smtp%.remote%-ip="([%x.:]+)"'), helo = rest:match(' smtp%.helo="([^"]*)"'),
  }
end

-- Two fields are two opinions (one message, several recipients): the worst holds, and there is no origin.
local function found(task)
  local rank = { none = 1, pass = 2, temperror = 3, permerror = 4, fail = 5 }
  local worst, count = nil, 0
  for _, field in ipairs(task:get_header_full("Authentication-Results") or {}) do
    local one = read(field.value or "") -- as it was written: encoded words (RFC 2047) are nobody's name
    if one then
      count = count + 1
      if not worst or rank[one.result] > rank[worst.result] then worst = one end
    end
  end
  if count > 1 then worst.origin = nil end
  return worst
end

local function use_origin(task, one)
  local address = one.origin and rspamd_ip.from_string(one.origin)
  if not address or not address:is_valid() then return end
  task:insert_result("MXGUARD_ORIGIN", 1.0, tostring(address))
  if settings.use_origin == false then return end
  task:set_from_ip(address)
  task:set_hostname("") -- the gateway's name is not the origin's
  if one.helo then task:set_helo(one.helo) end
end

-- A prefilter: before SPF and the lists look.
local check = rspamd_config:register_symbol({
  name = "MXGUARD_CHECK", type = "prefilter", priority = 11, group = "mxguard",
  callback = function(task)
    local one = found(task)
    if not one then return end
    task:insert_result(symbols[one.result], 1.0, one.result == "pass" and one.gateway or one.reason)
    if one.result == "pass" then use_origin(task, one) end
  end,
})

local scores = { MXGUARD_FAIL = 8.0, MXGUARD_PERMERROR = 1.0 }
for _, name in ipairs({ "MXGUARD_PASS", "MXGUARD_FAIL", "MXGUARD_TEMPERROR", "MXGUARD_PERMERROR", "MXGUARD_NONE",
    "MXGUARD_ORIGIN" }) do
  rspamd_config:register_symbol({ name = name, type = "virtual", parent = check })
  rspamd_config:set_metric_symbol({ name = name, score = scores[name] or 0.0, group = "mxguard" })
end
