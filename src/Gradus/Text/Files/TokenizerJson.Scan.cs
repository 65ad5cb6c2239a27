using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;

namespace Gradus.Text;

// The two long lists of a model, read several times as fast as a general JSON reader does it: loading is nothing else. Whatever is not
// exactly as expected is left to the general reader, which also says what is wrong with it.
public static partial class TokenizerJson
{
    private sealed partial class ModelContent
    {
        private byte[] _first = new byte[256];
        private byte[] _second = new byte[256];

        /// <summary>Reads an object of tokens and ids. Returns where it ends, or −1 where the general reader must read it.</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public int TryReadVocabulary(ReadOnlySpan<byte> utf8, int at)
        {
            at = SkipColon(utf8, at);
            if (at >= utf8.Length || utf8[at] != '{')
                return -1;
            Vocabulary.Builder builder = new(IsByteLevel, utf8.Length / 64);
            while (true)
            {
                at = SkipSpace(utf8, at + 1);
                if (!TryText(utf8, ref at, ref _first, out ReadOnlySpan<byte> token))
                    return -1;
                at = SkipSpace(utf8, at);
                if (at >= utf8.Length || utf8[at] != ':')
                    return -1;
                at = SkipSpace(utf8, at + 1);
                int start = at;
                int id = 0;
                while (at < utf8.Length && at - start < 9 && (uint)(utf8[at] - '0') <= 9)
                    id = (id * 10) + utf8[at++] - '0';
                if (at == start || at >= utf8.Length || (at - start > 1 && utf8[start] == '0'))
                    return -1;
                try
                {
                    builder.AddText(token, id);
                }
                catch (InvalidDataException)
                {
                    return -1;
                }
                at = SkipSpace(utf8, at);
                if (at >= utf8.Length || utf8[at] is not ((byte)',' or (byte)'}'))
                    return -1;
                if (utf8[at] == '}')
                    break;
            }
            Vocabulary = builder.Build("model.vocab", context.IsAdded);
            return at + 1;
        }

        /// <summary>Reads a list of merges. Returns where it ends, or −1 where the general reader must read it.</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public int TryReadMerges(ReadOnlySpan<byte> utf8, int at)
        {
            int prefix = Encoding.UTF8.GetByteCount(this["continuing_subword_prefix"].Text(""));
            at = SkipColon(utf8, at);
            bool more = at < utf8.Length && utf8[at] == '[';
            while (more)
            {
                at = SkipSpace(utf8, at + 1);
                if (!TryMerge(utf8, ref at, out ReadOnlySpan<byte> first, out ReadOnlySpan<byte> second))
                    break;
                int left = FindPart(first);
                int right = FindPart(second);
                _merges.Add(new Merge(left, right, FindJoined(left, right, prefix)));
                at = SkipSpace(utf8, at);
                if (at < utf8.Length && utf8[at] == ']')
                    return at + 1;
                more = at < utf8.Length && utf8[at] == ',';
            }
            _merges.Clear();
            return -1;
        }

        /// <summary>A merge: a text with one space in it, or a list of two texts.</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private bool TryMerge(ReadOnlySpan<byte> utf8, scoped ref int at, out ReadOnlySpan<byte> first, out ReadOnlySpan<byte> second)
        {
            second = default;
            bool list = at < utf8.Length && utf8[at] == '[';
            if (list)
                at = SkipSpace(utf8, at + 1);
            if (!TryText(utf8, ref at, ref _first, out first))
                return false;
            if (!list)
            {
                int space = first.IndexOf((byte)' ');
                if (space < 0)
                    return false;
                second = first[(space + 1)..];
                first = first[..space];
                return !first.IsEmpty && !second.IsEmpty && !second.Contains((byte)' ');
            }
            at = SkipSpace(utf8, at);
            if (at >= utf8.Length || utf8[at] != ',')
                return false;
            at = SkipSpace(utf8, at + 1);
            if (!TryText(utf8, ref at, ref _second, out second))
                return false;
            at = SkipSpace(utf8, at);
            return at < utf8.Length && utf8[at++] == ']' && !first.IsEmpty && !second.IsEmpty;
        }

        /// <summary>The text between quotes from a place on, without its escapes.</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static bool TryText(ReadOnlySpan<byte> utf8, scoped ref int at, scoped ref byte[] buffer, out ReadOnlySpan<byte> text)
        {
            text = default;
            if (at >= utf8.Length || utf8[at] != '"')
                return false;
            int start = ++at;
            bool escaped = false;
            while (at < utf8.Length && utf8[at] != '"')
            {
                if (utf8[at] < 0x20)
                    return false;
                bool escape = utf8[at] == '\\';
                escaped |= escape;
                at += escape ? 2 : 1;
            }
            if (at >= utf8.Length)
                return false;
            text = utf8[start..at];
            at++;
            if (!escaped)
                return true;
            if (buffer.Length < text.Length)
                buffer = new byte[text.Length * 2];
            try
            {
                Utf8JsonReader reader = new(utf8[(start - 1)..at]);
                reader.Read();
                text = buffer.AsSpan(0, reader.CopyString(buffer));
                return true;
            }
            catch (Exception e) when (e is JsonException or InvalidOperationException)
            {
                return false;
            }
        }

        private static int SkipColon(ReadOnlySpan<byte> utf8, int at)
        {
            at = SkipSpace(utf8, at);
            return at < utf8.Length && utf8[at] == ':' ? SkipSpace(utf8, at + 1) : at;
        }

        private static int SkipSpace(ReadOnlySpan<byte> utf8, int at)
        {
            while (at < utf8.Length && utf8[at] is (byte)' ' or (byte)'\n' or (byte)'\r' or (byte)'\t')
                at++;
            return at;
        }
    }
}
