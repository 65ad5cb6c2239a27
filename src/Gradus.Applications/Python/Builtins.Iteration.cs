using System.Numerics;

namespace Gradus.Applications.Python;

internal static partial class Builtins
{
    private static Value Iter(Interpreter it, Value[] args, Keywords? keywords)
    {
        if (args.Length == 2)
            return Lazy(Until(it, args[0], args[1]));
        IIterator iterator = Operations.Iterate(it, args[0]);
        return iterator switch
        {
            PyObject known => Value.Of(known),
            ObjectIterator => it.CallMethod(args[0], "__iter__"),
            _ => Value.Of(new IteratorObject(iterator)),
        };
    }

    private static IEnumerable<Value> Until(Interpreter it, Value function, Value sentinel)
    {
        while (true)
        {
            Value next = it.Call(function);
            if (Operations.Equal(next, sentinel))
                yield break;
            yield return next;
        }
    }

    private static Value Next(Interpreter it, Value[] args, Keywords? keywords)
    {
        if (args[0].Ref is IIterator iterator)
        {
            if (iterator.Next(out Value value))
                return value;
            return args.Length > 1 ? args[1] : throw Errors.StopIteration(args[0].Ref is GeneratorObject g ? g.Result : default);
        }
        if (args[0].Class.Find("__next__").IsUnbound)
            throw Errors.Type($"'{args[0].Class.Name}' object is not an iterator");
        if (args.Length == 1)
            return it.CallMethod(args[0], "__next__");
        return new ObjectIterator(it, args[0]).Next(out Value next) ? next : args[1];
    }

    /// <summary>An iterator over what C# enumerates.</summary>
    public static Value Lazy(IEnumerable<Value> items) => Value.Of(new IteratorObject(new EnumerableIterator(items)));

    /// <summary>The values of anything that can be iterated over, one after the other.</summary>
    public static IEnumerable<Value> Each(Interpreter it, Value source)
    {
        IIterator iterator = Operations.Iterate(it, source);
        return Rest();

        IEnumerable<Value> Rest()
        {
            while (iterator.Next(out Value value))
            {
                it.Burn();
                yield return value;
            }
        }
    }

    private static Value Enumerate(Interpreter it, Value[] args, Keywords? keywords)
    {
        Value start = args.Length > 1 ? args[1] : Keywords.Take(keywords, "start", Value.Of(0L));
        BigInteger first = start.Big;
        return Lazy(Each(it, args[0]).Select((value, i) => Value.Of(new TupleObject([Value.Of(first + i), value]))));
    }

    private static Value Zip(Interpreter it, Value[] args, Keywords? keywords)
    {
        bool strict = Operations.Truth(it, Keywords.Take(keywords, "strict", Value.False));
        IIterator[] iterators = [.. args.Select(a => Operations.Iterate(it, a))];
        return Lazy(Rows());

        IEnumerable<Value> Rows()
        {
            while (iterators.Length > 0)
            {
                it.Burn();
                Value[] row = new Value[iterators.Length];
                for (int i = 0; i < row.Length; i++)
                {
                    if (iterators[i].Next(out row[i]))
                        continue;
                    if (strict && (i > 0 || iterators.Skip(1).Any(o => o.Next(out _))))
                        throw Errors.Value(i > 0 ? $"zip() argument {i + 1} is shorter than argument 1" : "zip() argument 2 is longer than argument 1");
                    yield break;
                }
                yield return Value.Of(new TupleObject(row));
            }
        }
    }

    private static Value Map(Interpreter it, Value[] args, Keywords? keywords)
    {
        if (args.Length == 2)
            return Lazy(Each(it, args[1]).Select(v => it.Call(args[0], v)));
        return Lazy(Each(it, Zip(it, args[1..], null)).Select(row => it.Call(args[0], ((TupleObject)row.Ref!).Items, null)));
    }

    private static Value Filter(Interpreter it, Value[] args, Keywords? keywords) =>
        Lazy(Each(it, args[1]).Where(v => Operations.Truth(it, args[0].IsNone ? v : it.Call(args[0], v))));

    private static Value Reversed(Interpreter it, Value value)
    {
        Value method = value.Class.Find("__reversed__");
        if (!method.IsUnbound)
            return it.Call(method, value);
        if (value.Ref is RangeObject range)
            return Lazy(Each(it, Value.Of(new RangeObject(range.Start + ((range.Length - 1) * range.Step), range.Start - range.Step, -range.Step))));
        if (value.Ref is InstanceObject && !value.Class.Find("__getitem__").IsUnbound)
            return Lazy(Enumerable.Range(0, (int)Operations.Length(it, value)).Reverse().Select(i => it.CallMethod(value, "__getitem__", Value.Of((long)i))));
        if (value.Ref is SetObject or IIterator)
            throw Errors.Type($"'{value.Class.Name}' object is not reversible");
        return Lazy(Operations.ToArray(it, value).Reverse());
    }

    private static Value Sorted(Interpreter it, Value[] args, Keywords? keywords)
    {
        Value key = Keywords.Take(keywords, "key"), reverse = Keywords.Take(keywords, "reverse", Value.False);
        Keywords.CheckAllTaken(keywords, "sorted");
        return Value.Of(new ListObject(Operations.Sort(it, [.. Operations.ToArray(it, args[0])], key, Operations.Truth(it, reverse))));
    }

    private static Value Sum(Interpreter it, Value[] args, Keywords? keywords)
    {
        Value total = args.Length > 1 ? args[1] : Keywords.Take(keywords, "start", Value.Of(0L));
        if (total.Ref is StrObject)
            throw Errors.Type("sum() can't sum strings [use ''.join(seq) instead]");
        // Floats are added with compensation (Neumaier, 1974), as Python does since 3.12.
        double error = 0;
        bool floats = false;
        foreach (Value value in Each(it, args[0]))
        {
            if (total.IsFloat && (value.IsFloat || value.HasBits))
            {
                double x = total.Float, y = value.ToDouble(), sum = x + y;
                error += Math.Abs(x) >= Math.Abs(y) ? x - sum + y : y - sum + x;
                floats = true;
                total = Value.Of(sum);
            }
            else
            {
                total = Operations.Binary(it, BinaryOperator.Add, total, value);
            }
        }
        return floats && total.IsFloat && double.IsFinite(error) ? Value.Of(total.Float + error) : total;
    }

    private static Value Extreme(Interpreter it, Value[] args, Keywords? keywords, string name, bool smallest)
    {
        Value key = Keywords.Take(keywords, "key", Value.None), absent = Keywords.Take(keywords, "default");
        Keywords.CheckAllTaken(keywords, name);
        Value best = default, bestKey = default;
        foreach (Value value in args.Length == 1 ? Each(it, args[0]) : args)
        {
            Value of = key.IsNone ? value : it.Call(key, value);
            if (best.IsUnbound || (smallest ? Operations.Less(it, of, bestKey) : Operations.Truth(it, Operations.Compare(it, Comparison.Greater, of, bestKey))))
                (best, bestKey) = (value, of);
        }
        return !best.IsUnbound ? best : !absent.IsUnbound ? absent : throw Errors.Value($"{name}() iterable argument is empty");
    }

    private static bool Some(Interpreter it, Value source, bool truth)
    {
        foreach (Value value in Each(it, source))
        {
            if (Operations.Truth(it, value) == truth)
                return true;
        }
        return false;
    }
}
