# C++ that the codec suite is compared with or counts by; built by `npm run bench` only. It links the same
# libzstd, compiled the same way, as the addon.
{
  'variables': {
    'mongodb': '../node_modules/mongodb-zstd-7',
    'zstd_root': '<!(node list.mjs zstdRoot paths)',
  },
  'targets': [
    {
      'target_name': 'zstd',
      'type': 'static_library',
      'sources': ['<!@(node list.mjs zstd paths)'],
      'defines': ['<!@(node list.mjs zstdDefines)'],
      'cflags+': ['<!@(node list.mjs cFlags)'],
    },
    {
      # @mongodb-js/zstd 7.0.0 has no binary in its npm package and cannot install without one.
      'target_name': 'mongodb_zstd',
      'dependencies': ['zstd'],
      'sources': ['<(mongodb)/addon/zstd.cpp', '<(mongodb)/addon/compression.cpp'],
      'defines': ['ZSTD_STATIC_LINKING_ONLY', 'ZSTDLIB_VISIBLE='],
      'include_dirs': ['<(mongodb)/node_modules/node-addon-api', '<(zstd_root)'],
      'cflags!': ['-fno-exceptions'],
      'cflags_cc!': ['-fno-exceptions', '-fno-rtti'],
      'ldflags+': ['-Wl,--exclude-libs,ALL', '-Wl,-Bsymbolic'],
    },
    {
      'target_name': 'zstd_calls',
      'dependencies': ['zstd'],
      'sources': ['zstd_calls.cc'],
      'defines': ['NAPI_VERSION=9', 'ZSTDLIB_VISIBLE='],
      'include_dirs': ['<(zstd_root)'],
      'ldflags+': ['-Wl,--exclude-libs,ALL', '-Wl,-Bsymbolic'],
    },
    {
      'target_name': 'malloc_count',
      'sources': ['malloc_count.cc'],
      'defines': ['NAPI_VERSION=9'],
      'cflags_cc+': ['-ftls-model=initial-exec', '-fno-builtin'],
    },
  ],
}
