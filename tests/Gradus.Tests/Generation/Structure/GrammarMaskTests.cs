using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Gradus.Generation.Structure;

namespace Gradus.Tests.Generation.Structure;

/// <summary>Masks against trying every token, and what comes of following them to the end, on random schemas.</summary>
public sealed class GrammarMaskTests
{
    private static readonly int[] End = [0];

    [Fact]
    public void AMaskIsWhatTryingEveryTokenGives()
    {
        Random random = new(11);
        TokenBytes tokens = Tokens(random, 700);
        for (int round = 0; round < 60; round++)
        {
            byte[] schema = Encoding.UTF8.GetBytes(RandomSchema(random, 3).ToJsonString());
            if (TryMake(schema) is not { } grammar)
                continue;
            Grammar oracle = Grammar.FromJsonSchema(schema);
            GrammarMatcher matcher = new(grammar, tokens, End);
            List<byte> text = [];
            for (int step = 0; step < 60; step++)
            {
                HashSet<int> allowed = Allowed(matcher, tokens);
                for (int id = 0; id < tokens.Count; id++)
                    Assert.True(allowed.Contains(id) == IsBeginning(oracle, text, tokens[id]), $"{Encoding.UTF8.GetString(schema)}: after {Encoding.UTF8.GetString([.. text])}: token {Encoding.UTF8.GetString(tokens[id])}");
                Assert.Equal(oracle.Matches([.. text]), matcher.MayEnd);
                Assert.True(allowed.Count > 0 || matcher.MayEnd);
                if (allowed.Count == 0 || (matcher.MayEnd && random.Next(3) == 0))
                    break;
                int next = allowed.ElementAt(random.Next(allowed.Count));
                text.AddRange(tokens[next]);
                matcher.Accept(next);
            }
        }
    }

    [Fact]
    public void ATextAlwaysEndsWithinItsBudgetAndIsValid()
    {
        Random random = new(5);
        TokenBytes tokens = Tokens(random, 900);
        int finished = 0;
        for (int round = 0; round < 150; round++)
        {
            JsonObject schema = RandomSchema(random, 3);
            if (TryMake(Encoding.UTF8.GetBytes(schema.ToJsonString())) is not { } grammar)
                continue;
            int fewest = Fewest(grammar, tokens);
            if (fewest > 0)
                Assert.Contains($"at least {fewest} tokens", Assert.Throws<StructureException>(() => new GrammarMatcher(grammar, tokens, End, fewest - 1)).Message, StringComparison.Ordinal);
            foreach (int budget in new[] { fewest, fewest + 1, fewest + random.Next(30), 120 + fewest })
            {
                GrammarMatcher matcher = new(grammar, tokens, End, budget);
                List<byte> text = [];
                int used = 0;
                while (!(matcher.MayEnd && random.Next(20) == 0))
                {
                    HashSet<int> allowed = Allowed(matcher, tokens);
                    if (allowed.Count == 0)
                        break;
                    int next = allowed.ElementAt(random.Next(allowed.Count));
                    matcher.Accept(next);
                    text.AddRange(tokens[next]);
                    used++;
                }
                string written = Encoding.UTF8.GetString([.. text]);
                Assert.True(matcher.MayEnd, $"{schema.ToJsonString()} with {budget} tokens stopped at {written}");
                Assert.InRange(used, 0, budget);
                Assert.True(SmallValidator.IsValid(JsonDocument.Parse(written).RootElement, schema), $"{schema.ToJsonString()} allows {written}");
                finished++;
            }
        }
        Assert.InRange(finished, 300, 600);
    }

    [Fact]
    public void WhatIsValidIsAccepted()
    {
        Random random = new(8);
        for (int round = 0; round < 400; round++)
        {
            JsonObject schema = RandomSchema(random, 3);
            Grammar? grammar = TryMake(Encoding.UTF8.GetBytes(schema.ToJsonString()));
            for (int i = 0; i < 10; i++)
            {
                JsonNode? value = RandomValue(random, 3);
                string text = value?.ToJsonString() ?? "null";
                bool valid = SmallValidator.IsValid(JsonDocument.Parse(text).RootElement, schema);
                Assert.True(valid == (grammar?.Matches(Encoding.UTF8.GetBytes(text)) ?? false), $"{schema.ToJsonString()}: {text} is {(valid ? "" : "not ")}valid");
            }
        }
    }

    [Fact]
    public void LogitsKeepOnlyWhatMayCome()
    {
        TokenBytes tokens = new([[], .. "tfaruesl"u8.ToArray().Select(b => new[] { b }), "true"u8.ToArray()]);
        GrammarMatcher matcher = new(Grammar.FromChoices(["true", "false"]), tokens, End);
        float[] logits = new float[12];
        matcher.Mask(logits);
        Assert.Equal([1, 2, 9], Enumerable.Range(0, logits.Length).Where(i => logits[i] == 0));
        matcher.Accept(9);
        logits.AsSpan().Clear();
        matcher.Mask(logits);
        Assert.Equal([0], Enumerable.Range(0, logits.Length).Where(i => logits[i] == 0));
        Assert.True(matcher.IsComplete);
        Assert.Throws<ArgumentException>(() => matcher.Accept(1));
    }

    [Fact]
    public void TextWithoutAChoiceIsForced()
    {
        GrammarMatcher matcher = new(Grammar.FromRegex("(alpha|alps)!"), Tokens(new Random(1), 10), End);
        Assert.Equal("alp", Encoding.UTF8.GetString(matcher.ForcedText()));
    }

    [Fact]
    public void AVocabularyThatCannotWriteATextIsRefusedAndOneThatBarelyCanNeverGetsStuck()
    {
        TokenBytes digits = new([[], .. "0123456789"u8.ToArray().Select(b => new[] { b })]);
        Assert.Throws<StructureException>(() => new GrammarMatcher(Grammar.FromRegex("[a-z]+"), digits, End));
        TokenBytes few = new([[], "a"u8.ToArray(), "bc"u8.ToArray(), "c"u8.ToArray(), "x"u8.ToArray()]);
        GrammarMatcher matcher = new(Grammar.FromRegex("a(bc|xy)|c"), few, End);
        Assert.Equal([1, 3], Allowed(matcher, few).Order());
        matcher.Accept(1);
        // x would need a y, which no token writes.
        Assert.Equal([2], Allowed(matcher, few));
    }

    private static int Fewest(Grammar grammar, TokenBytes tokens)
    {
        try
        {
            _ = new GrammarMatcher(grammar, tokens, End, 0);
            return 0;
        }
        catch (StructureException e)
        {
            return int.Parse(e.Message.Split("at least ")[1].Split(' ')[0]);
        }
    }

    private static bool IsBeginning(Grammar grammar, List<byte> text, ReadOnlySpan<byte> token)
    {
        if (token.Length == 0)
            return false;
        return grammar.IsBeginning([.. text, .. token]);
    }

    private static HashSet<int> Allowed(GrammarMatcher matcher, TokenBytes tokens)
    {
        ReadOnlySpan<ulong> bits = matcher.Allowed().Bits.Span;
        HashSet<int> allowed = [];
        for (int id = 0; id < tokens.Count; id++)
        {
            if ((bits[id >> 6] >> (id & 63) & 1) != 0)
                allowed.Add(id);
        }
        return allowed;
    }

    private static TokenBytes Tokens(Random random, int more)
    {
        const string Sample = "{\"name\": \"Ada\", \"age\": 36, \"tags\": [\"x\", \"é日😀\"], \"a\": null, \"b\": [true, false], \"c\": {\"d\": -1.5e3}}\n  \"ab\",\n\"\\n\\u00e9\": \"zz\"}]} [1, 2,3]";
        byte[] bytes = Encoding.UTF8.GetBytes(Sample);
        List<byte[]> texts = [[], .. Enumerable.Range(0, 256).Select(b => new[] { (byte)b })];
        for (int i = 0; i < more; i++)
        {
            int start = random.Next(bytes.Length - 8);
            texts.Add(bytes[start..(start + random.Next(2, 8))]);
        }
        return new TokenBytes(texts);
    }

    private static Grammar? TryMake(byte[] schema)
    {
        try
        {
            return Grammar.FromJsonSchema(schema);
        }
        catch (StructureException e)
        {
            Assert.Contains("no value satisfies", e.Message, StringComparison.Ordinal);
            return null;
        }
    }

    private static JsonNode? RandomValue(Random random, int depth) => random.Next(depth == 0 ? 5 : 8) switch
    {
        0 => null,
        1 => JsonValue.Create(random.Next(2) == 0),
        2 => JsonValue.Create(random.Next(-3, 12)),
        3 => JsonValue.Create(random.Next(-30, 120) / 10.0),
        4 => JsonValue.Create(new[] { "", "a", "b", "ab", "aab", "é", "x1" }[random.Next(7)]),
        5 => new JsonArray([.. Enumerable.Range(0, random.Next(4)).Select(_ => RandomValue(random, depth - 1))]),
        _ => new JsonObject(new[] { "a", "b", "c", "x1" }.Where(_ => random.Next(2) == 0).OrderBy(_ => random.Next()).Select(n => KeyValuePair.Create(n, RandomValue(random, depth - 1)))),
    };

    private static JsonObject RandomSchema(Random random, int depth)
    {
        JsonObject schema = [];
        JsonArray Some(int most) => new([.. Enumerable.Range(0, random.Next(1, most)).Select(_ => RandomSchema(random, depth - 1))]);
        switch (random.Next(depth == 0 ? 4 : 9))
        {
            case 0:
                schema["type"] = new[] { "string", "integer", "number", "boolean", "null" }[random.Next(5)];
                break;
            case 1:
                schema["enum"] = new JsonArray([.. Enumerable.Range(0, random.Next(1, 4)).Select(_ => RandomValue(random, 1))]);
                break;
            case 2:
                schema["type"] = "string";
                if (random.Next(2) == 0)
                    schema["minLength"] = random.Next(3);
                if (random.Next(2) == 0)
                    schema["maxLength"] = random.Next(1, 5);
                if (random.Next(2) == 0)
                    schema["pattern"] = new[] { "^a*b?$", "a", "^[a-z]+$", "1$" }[random.Next(4)];
                break;
            case 3:
                schema["type"] = random.Next(2) == 0 ? "integer" : "number";
                schema[random.Next(2) == 0 ? "minimum" : "exclusiveMinimum"] = random.Next(-30, 50) / 10.0;
                if (random.Next(2) == 0)
                    schema["maximum"] = random.Next(50, 130) / 10.0;
                if (random.Next(4) == 0)
                    schema["multipleOf"] = new[] { 2, 0.5, 3 }[random.Next(3)];
                break;
            case 4:
                schema["type"] = "array";
                if (random.Next(2) == 0)
                    schema["items"] = RandomSchema(random, depth - 1);
                if (random.Next(3) == 0)
                    schema["prefixItems"] = Some(3);
                if (random.Next(3) == 0)
                    schema["minItems"] = random.Next(3);
                if (random.Next(3) == 0)
                    schema["maxItems"] = random.Next(2, 5);
                if (random.Next(3) == 0)
                    schema["contains"] = RandomSchema(random, 0);
                break;
            case 5 or 6:
                schema["type"] = "object";
                schema["properties"] = new JsonObject(new[] { "a", "b", "c" }.Where(_ => random.Next(2) == 0).Select(n => KeyValuePair.Create(n, (JsonNode?)RandomSchema(random, depth - 1))));
                if (random.Next(2) == 0)
                    schema["required"] = new JsonArray([.. new[] { "a", "c", "x1" }.Where(_ => random.Next(2) == 0).Select(n => JsonValue.Create(n))]);
                if (random.Next(2) == 0)
                    schema["additionalProperties"] = random.Next(2) == 0 ? false : RandomSchema(random, depth - 1);
                if (random.Next(4) == 0)
                    schema["patternProperties"] = new JsonObject { ["1"] = RandomSchema(random, depth - 1) };
                if (random.Next(4) == 0)
                    schema["minProperties"] = random.Next(3);
                if (random.Next(4) == 0)
                    schema["maxProperties"] = random.Next(1, 4);
                break;
            case 7:
                schema[new[] { "anyOf", "oneOf", "allOf" }[random.Next(3)]] = Some(4);
                break;
            default:
                schema["not"] = RandomSchema(random, depth - 1);
                break;
        }
        return schema;
    }
}
