using System.Text;

namespace Gradus.Text;

/// <summary>Makes a tokenizer of what a SentencePiece model, a GGUF vocabulary of that kind or a llama2.c file says.</summary>
internal static class SentencePieceAssembly
{
    public static Tokenizer Build(SentencePieceSpec spec, bool addBos, bool addEos)
    {
        int n = spec.Pieces.Count;
        Vocabulary.Builder builder = new(byteLevel: false, n);
        for (int id = 0; id < n; id++)
            builder.Add(Encoding.UTF8.GetBytes(spec.Pieces[id].Piece), id);
        Vocabulary vocabulary = builder.Build(spec.Place, allowDuplicates: spec.AllowsDuplicates);
        SentencePieceKind[] kinds = [.. spec.Pieces.Select(p => p.Kind)];
        int unknown = Array.IndexOf(kinds, SentencePieceKind.Unknown);
        CheckBytes(spec, vocabulary);
        List<AddedToken> added = [];
        for (int id = 0; id < n; id++)
        {
            if (kinds[id] is SentencePieceKind.Control or SentencePieceKind.Unknown)
                added.Add(new AddedToken(id, spec.Pieces[id].Piece));
        }
        SpecialTokens special = new(
            Bos: Control(spec.BosPiece), Eos: Control(spec.EosPiece), Pad: Control(spec.PadPiece), Unknown: unknown >= 0 ? spec.Pieces[unknown].Piece : null);
        int[] userDefined = [.. Enumerable.Range(0, n).Where(id => kinds[id] == SentencePieceKind.UserDefined)];
        TokenModel model = CreateModel(spec, vocabulary, kinds, unknown);
        return new Tokenizer(new TokenizerParts(model)
        {
            Normalizer = new SentencePieceNormalizer(spec, [.. userDefined.Select(id => vocabulary.GetBytes(id).ToArray())], userDefined),
            Decoder = new SentencePieceDecoder(spec),
            PostProcessor = Template(special, vocabulary, addBos, addEos),
            AddedTokens = added,
            SpecialTokens = special,
            SpecialTokenPolicy = SpecialTokenPolicy.Text,
        });

        string? Control(string piece) => vocabulary.Find(piece) is int id && kinds[id] == SentencePieceKind.Control ? piece : null;
    }

    /// <summary>The begin and end tokens around a text, or null for none.</summary>
    public static TemplateProcessing? Template(SpecialTokens special, Vocabulary vocabulary, bool addBos, bool addEos)
    {
        TemplatePart? Part(string? token) => token is null ? null : new TemplatePart(TemplateSlot.Special, [vocabulary.Find(token)!.Value], 0, token);
        return TokenizerFamily.BeginEnd(addBos ? Part(special.Bos) : null, addEos ? Part(special.Eos) : null);
    }

    private static void CheckBytes(SentencePieceSpec spec, Vocabulary vocabulary)
    {
        for (int b = 0; spec.ByteFallback && b < 256; b++)
        {
            if (vocabulary.Find(Encoding.ASCII.GetBytes($"<0x{b:X2}>")) < 0)
                throw new InvalidDataException($"{spec.Place}: byte fallback is on, but there is no piece <0x{b:X2}>.");
        }
    }

    private static TokenModel CreateModel(SentencePieceSpec spec, Vocabulary vocabulary, SentencePieceKind[] kinds, int unknown)
    {
        if (spec.ModelType == SentencePieceSpec.UnigramType)
            return new Unigram(vocabulary, [.. spec.Pieces.Select(p => (double)p.Score)], unknown, spec.ByteFallback, kinds);
        if (spec.ModelType == SentencePieceSpec.WordType)
            return new SentencePieceWords(vocabulary, kinds, unknown, spec.ByteFallback);
        BpeOptions options = new(UnknownToken: unknown >= 0 ? spec.Pieces[unknown].Piece : null, FuseUnknown: true, ByteFallback: spec.ByteFallback);
        int[] priority = spec.ModelType == SentencePieceSpec.CharType ? NoMerges(kinds.Length) : RankByScore([.. spec.Pieces.Select(p => p.Score)], kinds);
        bool[]? unused = kinds.Contains(SentencePieceKind.Unused) && spec.ModelType == SentencePieceSpec.BpeType ? [.. kinds.Select(k => k == SentencePieceKind.Unused)] : null;
        Bpe bpe = Bpe.FromPriorities(vocabulary, priority, options, unused);
        List<(AddedToken, byte[])> symbols = [];
        for (int id = 0; id < kinds.Length; id++)
        {
            if (kinds[id] == SentencePieceKind.UserDefined)
                symbols.Add((new AddedToken(id, spec.Pieces[id].Piece), vocabulary.GetBytes(id).ToArray()));
        }
        return symbols.Count == 0 ? bpe : new UserDefinedSymbols(bpe, new AddedTokenMatcher(symbols));
    }

    private static int[] NoMerges(int n)
    {
        int[] priority = new int[n];
        Array.Fill(priority, int.MaxValue);
        return priority;
    }

    /// <summary>The higher the score the earlier; pieces of equal score join from the left, whichever they are.</summary>
    public static int[] RankByScore(float[] scores, SentencePieceKind[] kinds)
    {
        int[] order = [.. Enumerable.Range(0, scores.Length).Where(Joins).OrderByDescending(id => scores[id])];
        int[] priority = NoMerges(scores.Length);
        int rank = -1;
        for (int i = 0; i < order.Length; i++)
        {
            if (i == 0 || scores[order[i]] != scores[order[i - 1]])
                rank++;
            priority[order[i]] = rank;
        }
        return priority;

        bool Joins(int id) => kinds[id] is SentencePieceKind.Normal or SentencePieceKind.UserDefined or SentencePieceKind.Unused;
    }
}
