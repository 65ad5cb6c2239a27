using System.Text;
using System.Text.Json;
using Gradus.Generation;
using Gradus.Generation.Structure;
using Gradus.Testing;
using Gradus.Tests.Text;
using Gradus.Text;

namespace Gradus.Tests.Generation.Structure;

/// <summary>A grammar as the constraint of a sequence, and what the tokens of real tokenizers write.</summary>
public sealed class GrammarConstraintTests
{
    [Fact]
    public void RandomLogitsMakeACompleteTextWithinTheBudget()
    {
        Random random = new(2);
        TokenBytes tokens = new([[], .. Enumerable.Range(0, 256).Select(b => new[] { (byte)b }), .. "{\"|\":|\"a|true|, |}}|[1|12".Split('|').Select(Encoding.UTF8.GetBytes)]);
        Grammar grammar = Grammar.FromJsonSchema("""{"type":"object","properties":{"a":{"type":"array","items":{"type":"boolean"}}},"required":["a"]}"""u8.ToArray());
        for (int round = 0; round < 12; round++)
        {
            TokenConstraint constraint = new GrammarMatcher(grammar, tokens, [0], maxTokens: 40);
            List<int> sequence = [];
            while (!sequence.Contains(0) && sequence.Count < 40)
            {
                float[] logits = [.. Enumerable.Range(0, tokens.Count).Select(_ => random.NextSingle())];
                constraint.Prepare();
                constraint.Mask(logits);
                sequence.Add(Array.IndexOf(logits, logits.Max()));
                constraint.Accept(sequence[^1]);
            }
            byte[] text = [.. sequence.SelectMany(t => tokens[t].ToArray())];
            Assert.Equal(JsonValueKind.Array, JsonDocument.Parse(text).RootElement.GetProperty("a").ValueKind);
        }
    }

    [SharedFact("data", "tokenizers")]
    public void TokensWriteWhatDecodingThemInATextWrites()
    {
        foreach (Tokenizer tokenizer in new[] { Tokenizer.Load(Golden.Data("phi3")), Tokenizer.Load(Golden.Data("tiktoken", "cl100k_base.tiktoken")), Tokenizer.Load(Golden.Data("sentencepiece", "bpe-1000.model")) })
        {
            byte[][] texts = tokenizer.TokenTexts();
            foreach (string text in new[] { "x {\"a\": [1, 2.5], \"é\": \"naïve 東京\"}", "x one  two\n\tthree" })
            {
                int[] ids = tokenizer.Encode(text, addSpecialTokens: false);
                if (tokenizer.UnknownId is { } unknown && ids.Contains(unknown))
                    continue;
                string written = Encoding.UTF8.GetString([.. ids.SelectMany(id => texts[id])]);
                Assert.Equal(tokenizer.Decode(ids), written.StartsWith(' ') ? written[1..] : written);
            }
        }
    }
}
