# Builds the addon that ships. Sources, defines and flags come from native/sources.json, as in CMakeLists.txt.
{
  'variables': {
    'list%': 'native/list.mjs',
  },
  'target_defaults': {
    'cflags_cc!': ['-std=gnu++17', '-std=gnu++20'],
  },
  'targets': [
    {
      'target_name': 'zstd',
      'type': 'static_library',
      'sources': ['<!@(node <(list) zstd)'],
      'defines': ['<!@(node <(list) zstdDefines)'],
      'cflags+': ['<!@(node <(list) cFlags)'],
    },
    {
      'target_name': 'dwcp',
      'dependencies': ['zstd'],
      'sources': ['<!@(node <(list) core binding)'],
      'defines': ['<!@(node <(list) zstdDefines bindingDefines)'],
      'include_dirs': [
        'native',
        '<!@(node <(list) zstdRoot)',
        '<!(node native/xxhash.mjs)',
        '<!(node -p "require(\'node-addon-api\').include_dir")',
      ],
      'cflags_cc+': ['<!@(node <(list) cxxFlags)'],
      'ldflags+': ['<!@(node <(list) linkFlags)'],
    },
  ],
}
