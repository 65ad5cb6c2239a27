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
        /// <summary>Shorter files are read by one thread.</summary>
        private const int ParallelLength = 1 << 18;

        /// <summary>About as many as a merge takes up in a file.</summary>
        private const int BytesPerMerge = 32;

        private byte[] _token = new byte[256];

        // The merges, being read while the vocabulary is.
        private Task<(MergeTexts? Texts, int Start, int End)>? _early;

        /// <summary>Reads an object of tokens and ids. Returns where it ends, or −1 where the general reader must read it.</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public int TryReadVocabulary(ReadOnlyMemory<byte> file, int at)
        {
            ReadOnlySpan<byte> utf8 = file.Span;
            at = SkipColon(utf8, at);
            if (at >= utf8.Length || utf8[at] != '{')
                return -1;
            bool isByteLevel = IsByteLevel;
            if (utf8.Length - at > ParallelLength && Environment.ProcessorCount > 1)
            {
                int from = at;
                _early = Task.Run(() => FindMerges(file.Span, from, isByteLevel));
            }
            Vocabulary.Builder builder = new(isByteLevel, utf8.Length / 64);
            while (true)
            {
                at = SkipSpace(utf8, at + 1);
                if (!TryText(utf8, ref at, ref _token, out ReadOnlySpan<byte> token))
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
        public int TryReadMerges(ReadOnlySpan<byte> utf8, int at)
        {
            at = SkipColon(utf8, at);
            (MergeTexts? texts, int start, int end) = _early?.Result ?? default;
            if (texts is null || start != at)
                end = ScanMerges(utf8, at, texts = new MergeTexts(Vocabulary!.IsByteLevel));
            if (end >= 0)
                _merges = texts.Resolve(Vocabulary!, PrefixLength, "model.merges");
            return end;
        }

        /// <summary>
        /// Reads the merges without knowing what stands before them: no vocabulary has a list under a key of this name, and whoever wants
        /// the merges compares the place.
        /// </summary>
        private static (MergeTexts? Texts, int Start, int End) FindMerges(ReadOnlySpan<byte> utf8, int at, bool isByteLevel)
        {
            ReadOnlySpan<byte> key = "\"merges\""u8;
            while (utf8[at..].IndexOf(key) is var skip and >= 0)
            {
                at = SkipColon(utf8, at + skip + key.Length);
                if (at >= utf8.Length || utf8[at] != '[')
                    continue;
                MergeTexts texts = new(isByteLevel, (utf8.Length - at) / BytesPerMerge);
                int end = ScanMerges(utf8, at, texts);
                return end < 0 ? default : (texts, at, end);
            }
            return default;
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static int ScanMerges(ReadOnlySpan<byte> utf8, int at, MergeTexts texts)
        {
            byte[] left = new byte[256];
            byte[] right = new byte[256];
            bool more = at < utf8.Length && utf8[at] == '[';
            while (more)
            {
                at = SkipSpace(utf8, at + 1);
                bool isList = at < utf8.Length && utf8[at] == '[';
                if (isList)
                    at = SkipSpace(utf8, at + 1);
                if (!TryText(utf8, ref at, ref left, out ReadOnlySpan<byte> first))
                    return -1;
                ReadOnlySpan<byte> second;
                if (isList)
                {
                    at = SkipSpace(utf8, at);
                    if (at >= utf8.Length || utf8[at] != ',')
                        return -1;
                    at = SkipSpace(utf8, at + 1);
                    if (!TryText(utf8, ref at, ref right, out second))
                        return -1;
                    at = SkipSpace(utf8, at);
                    if (at >= utf8.Length || utf8[at++] != ']')
                        return -1;
                }
                else
                {
                    int space = first.IndexOf((byte)' ');
                    if (space < 0)
                        return -1;
                    second = first[(space + 1)..];
                    first = first[..space];
                    if (second.Contains((byte)' '))
                        return -1;
                }
                if (!texts.TryAdd(first, second))
                    return -1;
                at = SkipSpace(utf8, at);
                if (at < utf8.Length && utf8[at] == ']')
                    return at + 1;
                more = at < utf8.Length && utf8[at] == ',';
            }
            return -1;
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

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static int SkipSpace(ReadOnlySpan<byte> utf8, int at)
        {
            while (at < utf8.Length && utf8[at] is (byte)' ' or (byte)'\n' or (byte)'\r' or (byte)'\t')
                at++;
            return at;
        }
    }
}
