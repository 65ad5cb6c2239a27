using System.Runtime.CompilerServices;
using System.Text.Json;

namespace Gradus.Text;

// The two long lists of a model, read several times as fast as a general JSON reader does it: loading is nothing else. Whatever is not
// exactly as expected is left to the general reader, which also says what is wrong with it.
public static partial class TokenizerJson
{
    /// <summary>Shorter files are read by one thread.</summary>
    private const int ParallelLength = 1 << 18;

    /// <summary>About as many as a merge takes up in a file.</summary>
    private const int BytesPerMerge = 48;

    private sealed partial class ModelContent
    {
        private byte[] _token = new byte[256];

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
            // Where the model was read late, places count from its own start, and match no more.
            EarlyMerges? early = context.EarlyMerges?.Result;
            if (early is null || early.Start != at || early.FileLength != utf8.Length)
                early = ScanMerges(utf8, at);
            if (early is null)
                return -1;
            _merges = early.Texts.Resolve(Vocabulary!, PrefixLength, "model.merges");
            return early.End;
        }
    }

    /// <summary>Merges read without knowing what stands before them, and the place where they were found.</summary>
    private sealed record EarlyMerges(MergeTexts Texts, int Start, int End, int FileLength);

    /// <summary>
    /// Looks for the merges: no vocabulary has a list under a key of this name, and whoever wants the merges compares the place.
    /// </summary>
    private static EarlyMerges? FindMerges(ReadOnlySpan<byte> utf8)
    {
        ReadOnlySpan<byte> key = "\"merges\""u8;
        int at = 0;
        while (utf8[at..].IndexOf(key) is var skip and >= 0)
        {
            at = SkipColon(utf8, at + skip + key.Length);
            if (at < utf8.Length && utf8[at] == '[')
                return ScanMerges(utf8, at);
        }
        return null;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static EarlyMerges? ScanMerges(ReadOnlySpan<byte> utf8, int start)
    {
        MergeTexts texts = new((utf8.Length - start) / BytesPerMerge);
        int at = start;
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
                return null;
            ReadOnlySpan<byte> second;
            if (isList)
            {
                at = SkipSpace(utf8, at);
                if (at >= utf8.Length || utf8[at] != ',')
                    return null;
                at = SkipSpace(utf8, at + 1);
                if (!TryText(utf8, ref at, ref right, out second))
                    return null;
                at = SkipSpace(utf8, at);
                if (at >= utf8.Length || utf8[at++] != ']')
                    return null;
            }
            else
            {
                int space = first.IndexOf((byte)' ');
                if (space < 0)
                    return null;
                second = first[(space + 1)..];
                first = first[..space];
                if (second.Contains((byte)' '))
                    return null;
            }
            texts.Add(first, second);
            at = SkipSpace(utf8, at);
            if (at < utf8.Length && utf8[at] == ']')
                return new EarlyMerges(texts, start, at + 1, utf8.Length);
            more = at < utf8.Length && utf8[at] == ',';
        }
        return null;
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
