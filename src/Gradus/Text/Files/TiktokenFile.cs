// tiktoken's rank files: a line is a token in base64 and its rank, which is also its id. What joins first is the pair whose text
// together has the lowest rank. Source: tiktoken (openai_public.py for patterns and special tokens).

using System.Buffers;
using System.Buffers.Text;
using System.IO.Compression;

namespace Gradus.Text;

/// <summary>An encoding of tiktoken: what its rank file does not say.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Pattern">The regular expression that cuts text into pieces.</param>
/// <param name="SpecialTokens">The special tokens and their ids.</param>
public sealed record TiktokenEncoding(string Name, string Pattern, IReadOnlyDictionary<string, int> SpecialTokens)
{
    private const string EndOfText = "<|endoftext|>";

    /// <summary>GPT-2's and GPT-3's encoding, 50,257 tokens.</summary>
    public static TiktokenEncoding R50kBase { get; } = new("r50k_base", PatternSplitter.Gpt2Pattern, new Dictionary<string, int> { [EndOfText] = 50256 });

    /// <summary>Codex's encoding: GPT-2's with runs of spaces, 50,281 tokens.</summary>
    public static TiktokenEncoding P50kBase { get; } = new("p50k_base", PatternSplitter.Gpt2Pattern, new Dictionary<string, int> { [EndOfText] = 50256 });

    /// <summary>GPT-4's encoding, 100,277 tokens.</summary>
    public static TiktokenEncoding Cl100kBase { get; } = new("cl100k_base", PatternSplitter.Cl100kPattern, new Dictionary<string, int>
    {
        [EndOfText] = 100257,
        ["<|fim_prefix|>"] = 100258,
        ["<|fim_middle|>"] = 100259,
        ["<|fim_suffix|>"] = 100260,
        ["<|endofprompt|>"] = 100276,
    });

    /// <summary>GPT-4o's encoding, 200,019 tokens.</summary>
    public static TiktokenEncoding O200kBase { get; } = new("o200k_base", PatternSplitter.O200kPattern, new Dictionary<string, int> { [EndOfText] = 199999, ["<|endofprompt|>"] = 200018 });

    /// <summary>The encoding whose name a file's name begins with, or null; <c>gpt2</c> is r50k_base.</summary>
    /// <param name="path">The file.</param>
    public static TiktokenEncoding? ForFile(string path)
    {
        string name = Path.GetFileName(path);
        if (name.StartsWith("gpt2", StringComparison.OrdinalIgnoreCase))
            return R50kBase;
        return new[] { R50kBase, P50kBase, Cl100kBase, O200kBase }.FirstOrDefault(e => name.StartsWith(e.Name, StringComparison.OrdinalIgnoreCase));
    }
}

/// <summary>Reads tiktoken's rank files.</summary>
public static class TiktokenFile
{
    /// <summary>Reads a rank file, gzipped or not.</summary>
    /// <param name="path">Path of the .tiktoken or .tiktoken.gz file.</param>
    /// <param name="encoding">Its pattern and special tokens, or null to tell by the file's name.</param>
    /// <param name="policy">What is done with the text of special tokens.</param>
    /// <exception cref="InvalidDataException">The file is not a rank file; the message says where and why.</exception>
    public static Tokenizer Load(string path, TiktokenEncoding? encoding = null, SpecialTokenPolicy policy = SpecialTokenPolicy.Find)
    {
        encoding ??= TiktokenEncoding.ForFile(path) ?? throw new ArgumentException($"{path}: its name does not tell which encoding it is; give the encoding, such as {nameof(TiktokenEncoding)}.{nameof(TiktokenEncoding.Cl100kBase)}.");
        byte[] data = File.ReadAllBytes(path);
        if (data.AsSpan().StartsWith((ReadOnlySpan<byte>)[0x1F, 0x8B]))
        {
            using GZipStream gzip = new(new MemoryStream(data), CompressionMode.Decompress);
            using MemoryStream plain = new();
            gzip.CopyTo(plain);
            data = plain.ToArray();
        }
        return Parse(data, path, encoding, policy);
    }

    /// <summary>A tokenizer from tokens and their ranks.</summary>
    /// <param name="ranks">The bytes of each token; its place is its rank and id.</param>
    /// <param name="encoding">The pattern and the special tokens.</param>
    /// <param name="policy">What is done with the text of special tokens.</param>
    public static Tokenizer FromRanks(IReadOnlyList<(byte[] Token, int Rank)> ranks, TiktokenEncoding encoding, SpecialTokenPolicy policy = SpecialTokenPolicy.Find)
    {
        ArgumentNullException.ThrowIfNull(ranks);
        ArgumentNullException.ThrowIfNull(encoding);
        Vocabulary.Builder builder = new(byteLevel: true, ranks.Count);
        foreach ((byte[] token, int rank) in ranks)
            builder.Add(token, rank);
        return Build(builder, encoding.Name, encoding, policy);
    }

    private static Tokenizer Parse(ReadOnlySpan<byte> data, string path, TiktokenEncoding encoding, SpecialTokenPolicy policy)
    {
        Vocabulary.Builder builder = new(byteLevel: true, data.Length / 16);
        Span<byte> token = stackalloc byte[1024];
        int number = 0;
        while (data.Length > 0)
        {
            number++;
            int end = data.IndexOf((byte)'\n');
            ReadOnlySpan<byte> line = (end < 0 ? data : data[..end]).TrimEnd((byte)'\r');
            data = end < 0 ? default : data[(end + 1)..];
            if (line.IsEmpty)
                continue;
            int space = line.IndexOf((byte)' ');
            int rank = -1;
            int used = 0;
            bool read = space > 0 && Utf8Parser.TryParse(line[(space + 1)..], out rank, out used) && used == line.Length - space - 1;
            if (!read || Base64.DecodeFromUtf8(line[..space], token, out int consumed, out int written) != OperationStatus.Done || consumed != space || written == 0)
                throw new InvalidDataException($"{path}, line {number}: expected a token in base64 and its rank.");
            try
            {
                builder.Add(token[..written], rank);
            }
            catch (InvalidDataException e)
            {
                throw new InvalidDataException($"{path}, line {number}: {e.Message}", e);
            }
        }
        return Build(builder, path, encoding, policy);
    }

    private static Tokenizer Build(Vocabulary.Builder builder, string place, TiktokenEncoding encoding, SpecialTokenPolicy policy)
    {
        HashSet<int> specialIds = [.. encoding.SpecialTokens.Values];
        Vocabulary vocabulary = builder.Build(place, specialIds.Contains);
        for (int b = 0; b < 256; b++)
        {
            if (vocabulary.Find([(byte)b]) < 0)
                throw new InvalidDataException($"{place}: no token is the byte 0x{b:X2}; a rank file has all 256. It may be cut off.");
        }
        int[] priority = new int[vocabulary.Count];
        for (int id = 0; id < priority.Length; id++)
            priority[id] = id;
        AddedToken[] added = [.. encoding.SpecialTokens.OrderBy(t => t.Value).Select(t => new AddedToken(t.Value, t.Key))];
        bool gpt2 = encoding.Pattern == PatternSplitter.Gpt2Pattern;
        ByteLevelPreTokenizer bytes = new(addPrefixSpace: false, trimOffsets: true, useRegex: gpt2, keepBytes: true);
        return new Tokenizer(new TokenizerParts(Bpe.FromPriorities(vocabulary, priority, new BpeOptions(IgnoreMerges: true)))
        {
            PreTokenizer = gpt2 ? bytes : new PreTokenizerSequence([new SplitPreTokenizer(encoding.Pattern), bytes]),
            Decoder = new ByteLevelDecoder(),
            AddedTokens = added,
            SpecialTokens = new SpecialTokens(Eos: added.FirstOrDefault(a => a.Content == "<|endoftext|>")?.Content),
            SpecialTokenPolicy = policy,
        });
    }
}
